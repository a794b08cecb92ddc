/** Requests over REQ-REP: enrol, administer, register, ready and bye; and heartbeats. */
import {
  encode,
  MusterError,
  PROTOCOL_VERSION,
  versionMismatch,
  type Envelope,
  type Fields,
  type Logger,
  type ProviderId,
  type SessionId,
  type StoreOffer,
} from '@muster/shared';
import { randomBytes } from 'node:crypto';
import type { HeadCore } from '../core/head-core.ts';
import type { Administration } from '../trust/administration.ts';
import type { BrokerAccounts } from '../trust/broker-accounts.ts';
import type { Peer } from '../trust/peer.ts';
import type { Trust } from '../trust/trust.ts';
import { unexpected } from './reply-endpoint.ts';
import type { TaskPublisher } from './task-publisher.ts';

export interface RegistrationOptions {
  readonly core: HeadCore;
  readonly publisher: TaskPublisher;
  readonly logger: Logger;
  readonly epoch: number;
  readonly heartbeatMs: number;
  readonly store: StoreOffer;
  readonly trust: Trust;
  readonly administration: Administration;
  readonly accounts: BrokerAccounts;
}

export class Registration {
  readonly #options: RegistrationOptions;
  /** Nonces sent on the topics of sessions that have subscribed; `ready` returns it, which proves that the topic is received. */
  readonly #nonces = new Map<SessionId, string>();

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  answer({ message }: Envelope, peer: Peer): Buffer {
    switch (message.type) {
      case 'enrol':
        return this.#enrol(message, peer);
      case 'administer':
        return encode('administered', { answer: this.#options.administration.answer(peer, message) });
      case 'register':
        return this.#register(message, peer);
      case 'ready':
        return this.#ready(message);
      case 'bye':
        this.#options.core.post({ type: 'bye', session: message.session, handBack: message.handBack });
        return encode('ok', {});
      default:
        throw unexpected(message.type);
    }
  }

  answerHeartbeat({ message }: Envelope): Buffer {
    if (message.type !== 'heartbeat') throw unexpected(message.type);
    const { core, publisher, epoch } = this.#options;
    const { session, linkBytesPerMs } = message;
    const known = core.state.sessions.has(session);
    if (known) core.post({ type: 'heartbeat', session, linkBytesPerMs });
    return encode('beat', { epoch, seq: publisher.sequenceOf(session), known });
  }

  /** The subscription is in place: the provider receives what is published from now on. */
  subscribed(session: SessionId): void {
    if (!this.#options.core.state.sessions.has(session)) return;
    const nonce = randomBytes(8).toString('hex');
    this.#nonces.set(session, nonce);
    this.#options.publisher.publish(session, { type: 'hello', fields: { nonce } });
  }

  unsubscribed(session: SessionId): void {
    this.#nonces.delete(session);
    this.#options.core.post({ type: 'connection-closed', session });
  }

  #enrol({ version, publicKey, name, provider }: Fields<'enrol'>, peer: Peer): Buffer {
    if (version !== PROTOCOL_VERSION) throw versionMismatch(version, name, 'this head');
    const { id, role, state } = this.#options.trust.enrol(peer, { publicKey, name, provider });
    if (state === 'active' && role === 'provider' && provider !== '') this.#options.accounts.admit(provider, id);
    const { cluster } = this.#options.trust;
    return encode('enrolled', { identity: id, role, cluster, approved: state === 'active' });
  }

  #register(message: Fields<'register'>, peer: Peer): Buffer {
    if (message.version !== PROTOCOL_VERSION) throw versionMismatch(message.version, message.name, 'this head');
    const { core, epoch, heartbeatMs, store, trust, accounts } = this.#options;
    this.#expectFree(message.provider, peer);
    const session = randomBytes(16).toString('hex') as SessionId;
    const { provider, name, platform, device, credit, held } = message;
    trust.registered(session, peer, message);
    const keep = core.register({ type: 'registered', session, provider, name, platform, device, credit, held });
    const firstLease = core.state.nextLease;
    accounts.admit(provider, peer.identity);
    const broker = accounts.accessOf(provider, peer.identity);
    return encode('registered', { session, epoch, heartbeatMs, store, keep: [...keep], firstLease, broker });
  }

  /** Nodes of the head's own account have no membership that reserves their id: it is theirs while they are connected. */
  #expectFree(provider: ProviderId, peer: Peer): void {
    const { core, trust } = this.#options;
    const known = core.state.providers.get(provider);
    if (known === undefined || peer.provider === 'any' || GONE.has(known.phase)) return;
    if (trust.gate.isOwn(known.session, peer)) return;
    throw new MusterError('FORBIDDEN', `${peer.name} may not register as ${provider}`, {
      why: `${known.name} is here under that id`,
      fix: 'give this provider a state directory of its own: --state DIR',
    });
  }

  #ready({ session, nonce, sharesStore }: Fields<'ready'>): Buffer {
    const expected = this.#nonces.get(session);
    if (expected === undefined || expected !== nonce)
      throw new MusterError('PROTOCOL', 'ready from an unknown session', { why: 'register again' });
    this.#nonces.delete(session);
    this.#options.core.post({ type: 'provider-ready', session, sharesStore });
    return encode('ok', {});
  }
}

/** Phases in which an id may be taken over: connection closed, or silent for too long. */
const GONE: ReadonlySet<string> = new Set(['suspect', 'lost']);
