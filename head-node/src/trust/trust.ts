/** Keys, roster, audit log and gate of one head: opened before its sockets, closed after them. */
import {
  derivedKeyPair,
  decodeZ85,
  fingerprintOf,
  formatBytes,
  limits,
  masked,
  newKeyPair,
  rosterRecord,
  sealBetween,
  systemClock,
  type Channel,
  type Fields,
  type KeyPair,
  type Logger,
  type Member,
  type ProviderId,
  type RosterRecord,
  type SessionId,
  type TaskId,
} from '@muster/shared';
import { loadKeyPair, parsePrivate, readPrivateFile, writePrivateFile } from '@muster/shared/io';
import { join } from 'node:path';
import type { Quota } from '../core/policy.ts';
import { AuditLog, reasonOf, type AuditEntry } from './audit-log.ts';
import { clusterName } from './cluster-name.ts';
import { Gate } from './gate.ts';
import { HandshakeLimits } from './handshake-limits.ts';
import type { JwtOptions } from './jwt.ts';
import { LOCAL_PEER, type Peer } from './peer.ts';
import { Roster, type Newcomer } from './roster.ts';
import { RefusalThrottle } from './refusal-throttle.ts';
import { TaskOwners } from './task-owners.ts';
import type { ZapRequest, Admission } from './zap.ts';

export interface TrustOptions {
  readonly stateDirectory: string;
  readonly headId: string;
  readonly logger: Logger;
  readonly isTask: (task: TaskId) => boolean;
}

export interface Quarantine {
  readonly provider: ProviderId;
  readonly name: string;
  readonly task: TaskId;
  readonly rejected: number;
}

/** The part of the configuration that decides on access and quotas. */
export interface StartedWith {
  readonly host: string;
  readonly portBase: number;
  readonly insecure: boolean;
  readonly amqpUrl: string | null;
  readonly amqpAdminUrl: string | null;
  readonly announce: boolean;
  readonly jwt: JwtOptions | null;
  readonly httpPort: number | null;
  readonly maxDiskBytes: number;
  readonly quota: Quota;
}

export class Trust {
  readonly keys: KeyPair;
  /** For programs of the head's own account that connect over TCP. */
  readonly localKeys: KeyPair;
  /** Keys with which the head tests that its own ports refuse unknown ones. */
  readonly trialKeys: KeyPair = newKeyPair();
  readonly cluster: string;
  readonly roster: Roster;
  readonly owners: TaskOwners;
  readonly gate: Gate;
  readonly #log: AuditLog;
  readonly #counters = { handshakesRefused: 0, handshakesCut: 0, httpKeysRefused: 0, httpRequestsRefused: 0 };
  readonly #limits = new HandshakeLimits();
  readonly #throttle = new RefusalThrottle(limits.refusalsWritten.value);

  static folderIn = (stateDirectory: string): string => join(stateDirectory, 'trust');
  static auditFileIn = (stateDirectory: string): string => join(Trust.folderIn(stateDirectory), 'audit.jsonl');

  constructor({ stateDirectory, headId, logger, isTask }: TrustOptions) {
    const folder = Trust.folderIn(stateDirectory);
    this.keys = loadKeyPair(join(folder, 'head-key.json'));
    this.localKeys = derivedKeyPair(decodeZ85(this.keys.secretKey) ?? Buffer.alloc(0), 'muster local programs 1');
    this.cluster = clusterName(headId);
    this.owners = new TaskOwners(join(folder, 'task-owners'));
    this.#log = new AuditLog(Trust.auditFileIn(stateDirectory), logger);
    this.roster = openRoster(join(folder, 'roster.json'), this.keys);
    const localSeal = sealBetween(this.keys.secretKey, this.localKeys.publicKey);
    this.gate = new Gate({
      peerWithSeal: (seal) => (seal === localSeal ? LOCAL_PEER : this.roster.peerWithSeal(seal)),
      ownerOf: (task) => this.owners.ownerOf(task),
      isTask,
      audit: (entry) => this.audit(entry),
    });
  }

  get counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, ...this.gate.counters };
  }

  /** Refusals of one kind from one source are limited per minute: a peer that is refused must neither fill the disk nor hide others. */
  audit(entry: AuditEntry): void {
    const { action, address, actor, outcome } = entry;
    const left = outcome === 'refused' ? this.#throttle.allows(`${action} ${address} ${actor}`, Date.now()) : 0;
    if (left === null) return;
    this.#log.append(left === 0 ? entry : { ...entry, detail: `${entry.detail}; ${left} more were not written down` });
  }

  /** Decides on a handshake: members are let in at the ports that their role needs, holders of a join token at `registration` only. */
  authenticate(request: ZapRequest): Admission {
    const { domain, address, publicKey } = request;
    if (publicKey === this.localKeys.publicKey) return 'in';
    if (publicKey === this.trialKeys.publicKey) return 'refused';
    // Before the limits: otherwise a stranger at the same address could shut a member out.
    if (this.#isMember(domain as Channel, publicKey)) return 'in';
    const nowMs = systemClock.nowMs();
    if (!this.#limits.allows(address, nowMs)) return this.#cut();
    if (domain === 'registration' && this.roster.isTokenKey(publicKey)) return 'in';
    return this.#limits.isPaused(address, nowMs) ? this.#cut() : this.#refused(request, nowMs);
  }

  /** Audits the part of the configuration that concerns access: a change shows against the line of the previous start. */
  started(configuration: StartedWith): void {
    const detail = described(configuration).join('; ');
    this.audit({ ...byPeer(LOCAL_PEER), action: 'head-started', outcome: 'done', object: this.cluster, detail });
  }

  /** Throws TOKEN_REFUSED, and BAD_DATA for what is no key; both are audited. */
  enrol(peer: Peer, newcomer: Newcomer): Member {
    const object = `${newcomer.name} ${fingerprintOf(newcomer.publicKey)}`;
    const entry = { action: 'enrolled', actor: peer.identity, role: '', address: '', object } as const;
    const before = this.roster.members.length;
    try {
      const member = this.roster.enrol(peer.identity, newcomer);
      // A peer that asks again, because the answer was lost, has been audited already.
      if (this.roster.members.length > before)
        this.audit({ ...entry, outcome: 'done', detail: `${member.role} ${member.id}, ${member.state}` });
      return member;
    } catch (error) {
      this.audit({ ...entry, outcome: 'refused', detail: reasonOf(error) });
      throw error;
    }
  }

  /** A session began; from now on only this peer may speak for it. */
  registered(session: SessionId, peer: Peer, { name, provider }: Pick<Fields<'register'>, 'name' | 'provider'>): void {
    this.gate.own(session, peer);
    this.audit({ ...byPeer(peer), action: 'registered', outcome: 'done', object: provider, detail: name });
  }

  /** The user whose quota the peer's tasks count against; null for admins and programs of the head's own account. */
  userOf({ identity, roles }: Peer): string | null {
    return roles.includes('admin') ? null : identity;
  }

  /** The same for a task that was restored. */
  userOfTask(task: TaskId): string | null {
    const owner = this.owners.ownerOf(task);
    return owner === undefined || this.roster.roleOf(owner) === 'admin' ? null : owner;
  }

  /** To be called before the task is made: a crash must not leave a task without its owner. */
  submitting(task: TaskId, peer: Peer, taskType: string): void {
    if (peer !== LOCAL_PEER) this.owners.set(task, peer.identity);
    this.audit({ ...byPeer(peer), action: 'submitted', outcome: 'done', object: task, detail: taskType });
  }

  submissionRefused(task: TaskId, peer: Peer, error: unknown): void {
    this.audit({ ...byPeer(peer), action: 'submitted', outcome: 'refused', object: task, detail: reasonOf(error) });
  }

  cancelled(task: TaskId, peer: Peer): void {
    this.audit({ ...byPeer(peer), action: 'cancelled', outcome: 'done', object: task, detail: '' });
  }

  /** The head gives a node that returned wrong results no more of a task. */
  quarantined({ provider, name, task, rejected }: Quarantine): void {
    const detail = `${name}: ${rejected} wrong results in task ${task}, of which it gets no more`;
    this.audit({
      ...NOBODY,
      actor: 'head',
      action: 'quarantined',
      outcome: 'done',
      address: '',
      object: provider,
      detail,
    });
  }

  /** A handshake without CURVE, or meant for another head; ZeroMQ does not tell its address. */
  handshakeFailed(channel: Channel, why: string): void {
    this.#counters.handshakesRefused += 1;
    const detail = `port for ${channel}: ${why}`;
    this.audit({ ...NOBODY, action: 'handshake', outcome: 'refused', address: '', object: channel, detail });
  }

  forgotten(task: TaskId): void {
    this.owners.forget(task);
  }

  /** A key was refused by the HTTP interface, which only this machine can reach. */
  keyRefused(why: string): void {
    this.#counters.httpKeysRefused += 1;
    this.audit({ ...VISITOR, action: 'http-key', outcome: 'refused', detail: why });
  }

  /** An HTTP request for another server, from a page of another site, or that its role may not make. */
  requestRefused(why: string): void {
    this.#counters.httpRequestsRefused += 1;
    this.audit({ ...VISITOR, action: 'http-request', outcome: 'refused', detail: why });
  }

  close(): void {
    this.#log.close();
  }

  #isMember(channel: Channel, publicKey: string): boolean {
    const member = this.roster.memberWithKey(publicKey);
    if (member === undefined || member.state !== 'active') return false;
    if (channel === 'registration' && member.role === 'admin') return true;
    return channel === 'clients' || member.role === 'provider';
  }

  #cut(): Admission {
    this.#counters.handshakesCut += 1;
    return 'cut';
  }

  #paused(address: string, ms: number): void {
    const detail = `its strangers get no answer for ${ms / 1000} s`;
    this.audit({
      ...NOBODY,
      actor: 'head',
      action: 'address-paused',
      outcome: 'done',
      address,
      object: address,
      detail,
    });
  }

  #refused({ domain, address, publicKey }: ZapRequest, nowMs: number): Admission {
    this.#counters.handshakesRefused += 1;
    const detail = `port for ${domain}, key unknown or revoked`;
    this.audit({
      ...NOBODY,
      action: 'handshake',
      outcome: 'refused',
      address,
      object: fingerprintOf(publicKey),
      detail,
    });
    const pause = this.#limits.failed(address, nowMs);
    if (pause !== null) this.#paused(address, pause.ms);
    return 'refused';
  }
}

function described(given: StartedWith): string[] {
  const { host, portBase, insecure, announce, httpPort, jwt, amqpUrl, amqpAdminUrl, maxDiskBytes, quota } = given;
  return [
    `${host}:${portBase}${insecure ? ' insecure' : ''}${announce ? '' : ', not announced'}`,
    httpPort === null ? 'no HTTP' : `HTTP ${httpPort}`,
    jwt === null ? 'no JWT' : `JWT of ${jwt.issuer} for ${jwt.audience}, keys ${jwt.jwks}, role in ${jwt.roleClaim}`,
    amqpUrl === null ? 'no broker' : `broker ${masked(amqpUrl)}`,
    ...(amqpAdminUrl === null ? [] : [`users by ${masked(amqpAdminUrl)}`]),
    `disk ${formatBytes(maxDiskBytes)}`,
    `each user ${quota.tasks} tasks, ${formatBytes(quota.bytes)}, ${quota.leases} leases`,
  ];
}

const NOBODY = { actor: '', role: '' } as const;
const VISITOR = { ...NOBODY, address: '127.0.0.1', object: 'http' } as const;

/** The fields of an audit entry that name the actor. */
export const byPeer = ({ identity, roles }: Peer): Pick<AuditEntry, 'actor' | 'role' | 'address'> => ({
  actor: identity,
  role: roles.join(','),
  address: '',
});

const NOBODY_YET: RosterRecord = { members: [], tokens: [], apiTokens: [], drained: [] };

function openRoster(path: string, keys: KeyPair): Roster {
  const text = readPrivateFile(path);
  const record = text === null ? NOBODY_YET : parsePrivate({ path, text, schema: rosterRecord });
  return new Roster(record, {
    keys,
    save: (changed) => writePrivateFile(path, `${JSON.stringify(changed)}\n`),
    wallMs: Date.now,
  });
}
