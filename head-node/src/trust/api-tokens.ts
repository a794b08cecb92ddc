/** Opaque tokens for the HTTP interface. Only the head checks them, so that a revocation holds at once. */
import { limits, MusterError, type ApiTokenRecord, type Role } from '@muster/shared';
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const PREFIX = 'muster_';
const TOKEN = /^muster_([\da-f]{16})_([\w-]{43})$/;
const SECRET_BYTES = 32;

/** A token as it is shown: without the hash of its secret. */
export type ListedApiToken = Omit<ApiTokenRecord, 'secretHash'>;

export interface ApiTokenRequest {
  readonly name: string;
  readonly role: Role;
  readonly ttlMs: number;
}

export interface ApiTokensPorts {
  /** Called after every change of the tokens. */
  readonly changed: () => void;
  readonly wallMs: () => number;
}

export class ApiTokens {
  readonly #ports: ApiTokensPorts;
  #tokens: readonly ApiTokenRecord[];

  constructor(tokens: readonly ApiTokenRecord[], ports: ApiTokensPorts) {
    this.#tokens = tokens;
    this.#ports = ports;
  }

  /** Does the key claim to be an API token of a head? */
  static isOne(key: string): boolean {
    return key.startsWith(PREFIX);
  }

  /** With the hashes, to be stored. */
  get records(): readonly ApiTokenRecord[] {
    return this.#tokens;
  }

  get listed(): readonly ListedApiToken[] {
    return this.#tokens.map(listed);
  }

  /** Returns the only copy of the token. Throws TOO_LARGE when there are too many. */
  issue({ name, role, ttlMs }: ApiTokenRequest): { readonly record: ListedApiToken; readonly token: string } {
    const nowMs = this.#ports.wallMs();
    // Tokens that ended long ago are dropped: they are answered like unknown ones anyway.
    const kept = this.#tokens.filter(({ expiresWallMs }) => expiresWallMs + KEPT_MS > nowMs);
    if (kept.filter((token) => isOpen(token, nowMs)).length >= limits.apiTokensMax.value) throw tooMany();
    const id = randomBytes(8).toString('hex');
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const record = { id, name, role, createdWallMs: nowMs, expiresWallMs: nowMs + ttlMs, revoked: false };
    this.#tokens = [...kept, { ...record, secretHash: hashOf(secret) }];
    this.#ports.changed();
    return { record, token: `${PREFIX}${id}_${secret}` };
  }

  /** Undefined when there is none with this id. */
  revoke(id: string): ListedApiToken | undefined {
    const found = this.listed.find((token) => token.id === id);
    if (found === undefined) return undefined;
    this.#tokens = this.#tokens.map((token) => (token.id === id ? { ...token, revoked: true } : token));
    this.#ports.changed();
    return found;
  }

  /** Null for a token that was never issued, or has ended. */
  holderOf(key: string): ListedApiToken | null {
    const [, id, secret = ''] = TOKEN.exec(key) ?? [];
    const found = this.#tokens.find((token) => token.id === id);
    if (found === undefined || !isOpen(found, this.#ports.wallMs()) || !sameHash(secret, found)) return null;
    return listed(found);
  }
}

const KEPT_MS = 30 * 24 * 3_600_000;

export const isOpen = ({ revoked, expiresWallMs }: ListedApiToken, nowWallMs: number): boolean =>
  !revoked && expiresWallMs > nowWallMs;

const listed = ({ id, name, role, createdWallMs, expiresWallMs, revoked }: ApiTokenRecord): ListedApiToken => ({
  id,
  name,
  role,
  createdWallMs,
  expiresWallMs,
  revoked,
});

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

const sameHash = (secret: string, { secretHash }: ApiTokenRecord): boolean =>
  timingSafeEqual(Buffer.from(hashOf(secret), 'hex'), Buffer.from(secretHash, 'hex'));

const tooMany = (): MusterError =>
  new MusterError('TOO_LARGE', 'there are as many API tokens as there may be', {
    why: `${limits.apiTokensMax.value} have not ended`,
    fix: 'head-node token ls; head-node token revoke ID',
  });
