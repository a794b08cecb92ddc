/** Members, tokens and drained nodes of the cluster: one small file, written as a whole at every change. */
import {
  formatDuration,
  enrolmentKeys,
  isPublicKey,
  MusterError,
  sealBetween,
  type IssuedToken,
  type JoinToken,
  type KeyPair,
  type Member,
  type ProviderId,
  type Role,
  type RosterRecord,
} from '@muster/shared';
import { randomBytes } from 'node:crypto';
import { ApiTokens } from './api-tokens.ts';
import type { Peer } from './peer.ts';

/** Expired tokens are kept for this long, to tell why one is refused. */
const TOKENS_KEPT_MS = 30 * 24 * 3_600_000;

export interface RosterPorts {
  /** The head's keys. */
  readonly keys: KeyPair;
  readonly save: (record: RosterRecord) => void;
  readonly wallMs: () => number;
}

export interface TokenRequest {
  readonly role: Role;
  readonly ttlMs: number;
  readonly uses: number;
  readonly requireApproval: boolean;
}

export interface Newcomer {
  readonly publicKey: string;
  readonly name: string;
  readonly provider: string;
}

export class Roster {
  readonly apiTokens: ApiTokens;
  readonly #ports: RosterPorts;
  #members: Member[];
  #tokens: IssuedToken[];
  readonly #drained: Set<ProviderId>;
  /** Peers by seal: active members, and holders of tokens. */
  #peers = new Map<string, Peer>();

  constructor({ members, tokens, apiTokens, drained }: RosterRecord, ports: RosterPorts) {
    this.#ports = ports;
    this.apiTokens = new ApiTokens(apiTokens, { wallMs: ports.wallMs, changed: () => this.#save() });
    this.#members = members;
    this.#tokens = tokens;
    this.#drained = new Set(drained as ProviderId[]);
    this.#index();
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  get tokens(): readonly IssuedToken[] {
    return this.#tokens;
  }

  /** Nodes that an admin has drained. */
  get drained(): ReadonlySet<ProviderId> {
    return this.#drained;
  }

  /** False when nothing has changed. */
  drain(provider: ProviderId, on: boolean): boolean {
    if (this.#drained.has(provider) === on) return false;
    if (on) this.#drained.add(provider);
    else this.#drained.delete(provider);
    this.#changed();
    return true;
  }

  memberWithKey(publicKey: string): Member | undefined {
    return this.#members.find((found) => found.publicKey === publicKey && found.state !== 'revoked');
  }

  /** Also of a revoked member. */
  roleOf(identity: string): Role | undefined {
    return this.#members.find(({ id }) => id === identity)?.role;
  }

  isTokenKey(publicKey: string): boolean {
    return this.#tokens.some((token) => token.publicKey === publicKey);
  }

  /** Undefined for an unknown seal, and for that of a pending or revoked member. */
  peerWithSeal(seal: string): Peer | undefined {
    return this.#peers.get(seal);
  }

  /** Returns the only copy of the secret. */
  issue({
    role,
    ttlMs,
    uses,
    requireApproval,
  }: TokenRequest): Pick<JoinToken, 'id' | 'secret' | 'role' | 'expiresWallMs'> {
    const nowMs = this.#ports.wallMs();
    const id = randomBytes(8).toString('hex');
    const secret = randomBytes(16).toString('hex');
    const expiresWallMs = nowMs + ttlMs;
    const { publicKey } = enrolmentKeys({ secret });
    this.#tokens = [
      ...this.#tokens.filter((token) => token.expiresWallMs + TOKENS_KEPT_MS > nowMs),
      { id, role, publicKey, createdWallMs: nowMs, expiresWallMs, usesLeft: uses, requireApproval, revoked: false },
    ];
    this.#changed();
    return { id, secret, role, expiresWallMs };
  }

  revokeToken(id: string): IssuedToken {
    const token = this.#tokens.find((found) => found.id === id);
    if (token === undefined) throw unknown('token', id, 'head-node token ls');
    token.revoked = true;
    this.#changed();
    return token;
  }

  /**
   * Throws TOKEN_REFUSED, and BAD_DATA for a public key that no program can have. Idempotent, because the answer may be lost: the same key
   * with the same token uses up nothing.
   */
  enrol(tokenIdentity: string, newcomer: Newcomer): Member {
    const token = this.#tokens.find(({ id }) => tokenIdentity === tokenName(id));
    if (token === undefined) throw refusedToken('is not known here', 'it was thrown away long ago');
    const before = this.#members.find(({ publicKey }) => publicKey === newcomer.publicKey);
    if (before?.byToken === token.id && before.state !== 'revoked') return before;
    this.#expectUsable(token, newcomer);
    token.usesLeft -= 1;
    const fresh: Member = {
      id: randomBytes(8).toString('hex'),
      ...newcomer,
      role: token.role,
      enrolledWallMs: this.#ports.wallMs(),
      byToken: token.id,
      state: token.requireApproval ? 'pending' : 'active',
    };
    this.#members = [...this.#members, fresh];
    this.#changed();
    return fresh;
  }

  #expectUsable({ role, revoked, expiresWallMs, usesLeft }: IssuedToken, { publicKey, provider }: Newcomer): void {
    const lateMs = this.#ports.wallMs() - expiresWallMs;
    if (revoked) throw refusedToken('was revoked', 'an admin has taken it back');
    if (lateMs >= 0) throw refusedToken('is expired', `it ended ${formatDuration(lateMs)} ago`);
    if (usesLeft <= 0) throw refusedToken('is used up', 'as many machines as it was for have joined with it');
    if ((role === 'provider') !== (provider !== '')) throw otherProgram(role);
    if (!isPublicKey(publicKey) || this.isTokenKey(publicKey)) throw badKey();
    const taken = this.#members.find((found) => found.publicKey === publicKey || clashes(found, provider));
    if (taken !== undefined)
      throw refusedToken('does not help', `this machine has been enrolled as ${taken.id} (${taken.state})`);
  }

  approve(idOrName: string): Member {
    return this.#set(idOrName, 'active');
  }

  revoke(idOrName: string): Member {
    return this.#set(idOrName, 'revoked');
  }

  #set(idOrName: string, state: Member['state']): Member {
    const found = this.find(idOrName);
    if (found === undefined) throw unknown('node', idOrName, 'head-node node ls');
    if (found.state === 'revoked' && state !== 'revoked') throw unknown('node', idOrName, 'head-node token create');
    found.state = state;
    this.#changed();
    return found;
  }

  /** By identity, provider id, or a name that is unique. */
  find(idOrName: string): Member | undefined {
    if (idOrName === '') return undefined;
    const current = this.#members.filter(({ state }) => state !== 'revoked');
    const exact = current.find(({ id }) => id === idOrName) ?? current.find(({ provider }) => provider === idOrName);
    const named = current.filter(({ name }) => name === idOrName);
    return exact ?? (named.length === 1 ? named[0] : undefined);
  }

  #changed(): void {
    this.#index();
    this.#save();
  }

  #save(): void {
    const apiTokens = [...this.apiTokens.records];
    this.#ports.save({ members: this.#members, tokens: this.#tokens, apiTokens, drained: [...this.#drained] });
  }

  #index(): void {
    const { secretKey } = this.#ports.keys;
    const active = this.#members.filter(({ state }) => state === 'active');
    this.#peers = new Map([
      ...this.#tokens.map((token) => [sealBetween(secretKey, token.publicKey), peerOfToken(token)] as const),
      ...active.map((found) => [sealBetween(secretKey, found.publicKey), peerOf(found)] as const),
    ]);
  }
}

const tokenName = (id: string): string => `token ${id}`;

const peerOfToken = ({ id }: IssuedToken): Peer => ({
  identity: tokenName(id),
  name: tokenName(id),
  roles: [],
  provider: null,
});

const peerOf = ({ id, name, role, provider }: Member): Peer => ({
  identity: id,
  name,
  roles: [role],
  provider: provider === '' ? null : (provider as ProviderId),
});

/** A provider id belongs to one machine: another key under it would take over its leases. */
const clashes = (found: Member, provider: string): boolean =>
  provider !== '' && found.provider === provider && found.state !== 'revoked';

const refusedToken = (what: string, why: string): MusterError =>
  new MusterError('TOKEN_REFUSED', `the join token ${what}`, {
    why,
    fix: "ask for a new one: on the head's machine, head-node token create",
  });

const otherProgram = (role: Role): MusterError =>
  new MusterError('TOKEN_REFUSED', `the join token is for another program`, {
    why: `it is for the role ${role}`,
    fix: role === 'provider' ? 'provider-node join TOKEN' : 'user-client login TOKEN',
  });

const badKey = (): MusterError =>
  new MusterError('BAD_DATA', 'that is no public key of a program', {
    why: 'it is not 32 bytes in Z85, has no secret half, or is the key of a join token',
  });

const unknown = (what: string, given: string, fix: string): MusterError =>
  new MusterError('USAGE', `the head knows no ${what} '${given}'`, { why: 'no such id, or it is revoked', fix });
