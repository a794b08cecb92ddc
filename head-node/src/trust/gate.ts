/**
 * The one place that authorises messages: who is the sender, may its role send this, is it about its own session or task. Code behind the
 * gate does not check that again.
 */
import {
  decode,
  MusterError,
  reachOf,
  sealOf,
  type Channel,
  type Envelope,
  type Message,
  type MessageType,
  type SessionId,
  type TaskId,
} from '@muster/shared';
import { unknownTask } from './unknown-task.ts';
import { reasonOf, type AuditEntry } from './audit-log.ts';
import { LOCAL_PEER, type Origin, type Peer } from './peer.ts';

export interface GatePorts {
  readonly peerWithSeal: (seal: string) => Peer | undefined;
  /** Identity of the submitter; undefined for a task of the head's own account, and for an unknown one. */
  readonly ownerOf: (task: TaskId) => string | undefined;
  readonly isTask: (task: TaskId) => boolean;
  readonly audit: (entry: AuditEntry) => void;
}

/** Where a message came in. */
export interface Entrance {
  readonly origin: Origin;
  readonly channel: Channel;
}

/** Message types that each channel takes; `clients` takes all others. */
const heardOn = {
  registration: ['register', 'ready', 'bye', 'enrol', 'administer'],
  heartbeats: ['heartbeat'],
  results: ['result', 'resultChunk', 'failed'],
  tasks: [],
} as const satisfies Partial<Record<Channel, readonly MessageType[]>>;

const elsewhere = new Set<MessageType>(Object.values(heardOn).flat());

const isHeard = (channel: Channel, type: MessageType): boolean =>
  channel === 'clients' ? !elsewhere.has(type) : (heardOn[channel] as readonly MessageType[]).includes(type);

export class Gate {
  readonly counters = { messagesRefused: 0, subscriptionsRefused: 0 };
  readonly #ports: GatePorts;
  readonly #owners = new Map<SessionId, string>();

  constructor(ports: GatePorts) {
    this.#ports = ports;
  }

  /** Throws PROTOCOL or VERSION_MISMATCH for frames that are no message, and counts and audits them. */
  decode({ channel, origin }: Entrance, frames: readonly Uint8Array[]): Envelope {
    try {
      return decode(frames);
    } catch (error) {
      this.counters.messagesRefused += 1;
      const detail = `${origin}: ${reasonOf(error)}`;
      this.#ports.audit({ ...NOBODY, action: 'message', outcome: 'refused', object: channel, detail });
      throw error;
    }
  }

  /** Returns the sender. Throws UNAUTHORIZED, FORBIDDEN, TASK_UNKNOWN or PROTOCOL, and counts and audits the refusal. */
  admit(entrance: Entrance, envelope: Envelope): Peer {
    const peer = this.#sender(entrance, envelope);
    try {
      this.#check(entrance, envelope.message, peer);
      return peer;
    } catch (error) {
      this.counters.messagesRefused += 1;
      this.#ports.audit(refusal(peer, envelope.message.type, error));
      throw error;
    }
  }

  /** From now on the session belongs to this peer. */
  own(session: SessionId, peer: Peer): void {
    this.#owners.set(session, peer.identity);
    if (this.#owners.size <= SESSIONS_KEPT) return;
    // The peer's own oldest: a peer that registers again and again must not displace the sessions of others.
    const [oldest = session] = this.sessionsOf(peer.identity);
    this.#owners.delete(oldest);
  }

  disown(session: SessionId): void {
    this.#owners.delete(session);
  }

  /** Also true for a session without an owner. */
  isOwn(session: SessionId, { identity }: Peer): boolean {
    return (this.#owners.get(session) ?? identity) === identity;
  }

  sessionsOf(identity: string): SessionId[] {
    return [...this.#owners].filter(([, owner]) => owner === identity).map(([session]) => session);
  }

  subscriptionRefused(origin: Origin, topic: string): void {
    this.counters.subscriptionsRefused += 1;
    const object = JSON.stringify(topic.slice(0, 80));
    this.#ports.audit({ ...NOBODY, action: 'subscription', outcome: 'refused', object, detail: origin });
  }

  mayReach(peer: Peer, task: TaskId, type: MessageType): boolean {
    return reachOf(type, peer.roles) === 'any' || this.#ports.ownerOf(task) === peer.identity;
  }

  #sender({ origin }: Entrance, envelope: Envelope): Peer {
    if (origin !== 'encrypted') return LOCAL_PEER;
    const peer = this.#ports.peerWithSeal(sealOf(envelope));
    return peer ?? STRANGER;
  }

  #check({ channel }: Entrance, message: Message, peer: Peer): void {
    const { type } = message;
    if (!isHeard(channel, type)) throw wrongChannel(type);
    if (peer === STRANGER) throw stranger();
    if (type === 'enrol' && peer.identity.startsWith('token ')) return;
    const reach = reachOf(type, peer.roles);
    if (reach === null) throw forbidden(type, peer);
    if (message.type === 'register') return expectOwnId(message.provider, peer);
    if ('session' in message) return this.#expectOwnSession(message.session, peer);
    if (reach === 'own' && 'task' in message) this.#expectOwnTask(message.task, peer, message.type === 'submit');
  }

  /** A session without an owner is over or of an earlier epoch; it passes, as it means nothing behind the gate. */
  #expectOwnSession(session: SessionId, peer: Peer): void {
    if (!this.isOwn(session, peer)) throw forbidden('another session', peer);
  }

  /** A task of another submitter is answered like one that does not exist. */
  #expectOwnTask(task: TaskId, { identity }: Peer, mayBeNew: boolean): void {
    const owner = this.#ports.ownerOf(task);
    if (owner !== identity && !(mayBeNew && !this.#ports.isTask(task))) throw unknownTask(task);
  }
}

/** Far more than there can be nodes; sessions that are over may be forgotten. */
const SESSIONS_KEPT = 10_000;

const NOBODY = { actor: '', role: '', address: '' } as const;
const STRANGER: Peer = { identity: '', name: 'a stranger', roles: [], provider: null };

const refusal = ({ identity, roles }: Peer, type: string, error: unknown): AuditEntry => ({
  action: 'message',
  outcome: 'refused',
  actor: identity,
  role: roles.join(','),
  address: '',
  object: type,
  detail: reasonOf(error),
});

function expectOwnId(provider: string, peer: Peer): void {
  if (peer.provider !== 'any' && peer.provider !== provider) throw forbidden(`provider ${provider}`, peer);
}

const wrongChannel = (type: string): MusterError =>
  new MusterError('PROTOCOL', 'a message came on the wrong channel', { why: type });

const stranger = (): MusterError =>
  new MusterError('UNAUTHORIZED', 'the head does not know this program', {
    why: 'its key is not enrolled, not approved yet, or revoked',
    fix: "join again with a new token: on the head's machine, head-node token create",
  });

const forbidden = (what: string, { name, roles }: Peer): MusterError =>
  new MusterError('FORBIDDEN', `${name} may not do that`, {
    why: `${what} is not for ${roles.length === 0 ? 'who has no role' : `the role ${roles.join(', ')}`}`,
    fix: 'ask an admin for a token of another role: head-node token create --role ROLE',
  });
