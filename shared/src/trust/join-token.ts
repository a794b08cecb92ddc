/**
 * The line that lets a newcomer in: `MUSTER1-` and base64url of
 *
 *     u16 length of all   u8 role   u8 number of endpoints   f64 expiry (wall clock, ms)   8 bytes token id   16 bytes secret
 *     32 bytes CURVE key of the head   then for each endpoint: u8 length of the host, the host, u16 first port   4 bytes checksum
 *
 * big endian. The checksum is the start of a SHA-256 over what is before it. The length tells a line that was cut off from one that was
 * mistyped. The secret never travels: it is the seed of the key pair with which the newcomer comes (see `enrolmentKeys`), and a head that
 * has not the key named here cannot even finish the handshake.
 */
import { createHash } from 'node:crypto';
import { MusterError } from '../errors.ts';
import type { Endpoint } from '../protocol/channels.ts';
import { limits } from '../protocol/limits.ts';
import { KEY_BYTES, derivedKeyPair, type KeyPair } from './keys.ts';
import { roles, type Role } from './role.ts';
import { decodeZ85, encodeZ85 } from './z85.ts';

const PREFIX = 'MUSTER1-';
const CHECKSUM_BYTES = 4;
const ID_BYTES = 8;
const SECRET_BYTES = 16;
/** Up to the first endpoint. */
const FIXED_BYTES = 2 + 1 + 1 + 8 + ID_BYTES + SECRET_BYTES + KEY_BYTES;
export const ENDPOINTS_MAX = limits.joinAddressesMax.value;

export interface JoinToken {
  /** 16 hex digits. */
  readonly id: string;
  /** 32 hex digits. */
  readonly secret: string;
  readonly role: Role;
  readonly expiresWallMs: number;
  /** CURVE public key of the head, Z85. */
  readonly headKey: string;
  /** Addresses of the head, the best first. */
  readonly endpoints: readonly Endpoint[];
}

/** The key pair that the token's bearer enrols with. The head keeps the public half only. */
export const enrolmentKeys = ({ secret }: Pick<JoinToken, 'secret'>): KeyPair =>
  derivedKeyPair(Buffer.from(secret, 'hex'), 'muster enrolment 1');

export function writeJoinToken({ id, secret, role, expiresWallMs, headKey, endpoints }: JoinToken): string {
  const fixed = Buffer.alloc(FIXED_BYTES);
  fixed[2] = roles.indexOf(role);
  fixed[3] = endpoints.length;
  fixed.writeDoubleBE(expiresWallMs, 4);
  fixed.set(Buffer.from(id, 'hex'), 12);
  fixed.set(Buffer.from(secret, 'hex'), 12 + ID_BYTES);
  fixed.set(decodeZ85(headKey) ?? [], 12 + ID_BYTES + SECRET_BYTES);
  const body = Buffer.concat([fixed, ...endpoints.slice(0, ENDPOINTS_MAX).map(endpointBytes)]);
  body.writeUInt16BE(body.length + CHECKSUM_BYTES, 0);
  return `${PREFIX}${Buffer.concat([body, checksumOf(body)]).toString('base64url')}`;
}

function endpointBytes({ host, portBase }: Endpoint): Buffer {
  const name = Buffer.from(host, 'utf8');
  const bytes = Buffer.alloc(1 + name.length + 2);
  bytes[0] = name.length;
  bytes.set(name, 1);
  bytes.writeUInt16BE(portBase, 1 + name.length);
  return bytes;
}

/** Throws TOKEN_INVALID: no token, one that was cut off, or one that was mistyped. */
export function readJoinToken(text: string): JoinToken {
  const line = text.trim();
  if (!line.startsWith(PREFIX)) throw notAToken();
  const all = Buffer.from(line.slice(PREFIX.length).replaceAll(/[^\w-]/g, ''), 'base64url');
  const length = all.length < 2 ? FIXED_BYTES : all.readUInt16BE(0);
  if (length > all.length && isPlausible(length)) throw truncated(all.length, length);
  const body = all.subarray(0, -CHECKSUM_BYTES);
  const exact = Buffer.from(all).toString('base64url') === line.slice(PREFIX.length);
  if (!exact || length !== all.length || !checksumOf(body).equals(all.subarray(-CHECKSUM_BYTES))) throw mistyped();
  return fieldsOf(body);
}

const LONGEST = FIXED_BYTES + ENDPOINTS_MAX * (1 + 255 + 2) + CHECKSUM_BYTES;
const isPlausible = (length: number): boolean => length > FIXED_BYTES && length <= LONGEST;

function fieldsOf(body: Buffer): JoinToken {
  const role = roles[body[2] ?? 0];
  if (role === undefined) throw mistyped();
  const secretAt = 12 + ID_BYTES;
  const keyAt = secretAt + SECRET_BYTES;
  return {
    id: body.toString('hex', 12, secretAt),
    secret: body.toString('hex', secretAt, keyAt),
    role,
    expiresWallMs: body.readDoubleBE(4),
    headKey: encodeZ85(body.subarray(keyAt, FIXED_BYTES)),
    endpoints: endpointsOf(body.subarray(FIXED_BYTES), body[3] ?? 0),
  };
}

function endpointsOf(bytes: Buffer, count: number): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (let at = 0; endpoints.length < count;) {
    const end = at + 1 + (bytes[at] ?? 0);
    if (end + 2 > bytes.length) throw mistyped();
    endpoints.push({ host: bytes.toString('utf8', at + 1, end), portBase: bytes.readUInt16BE(end) });
    at = end + 2;
  }
  return endpoints;
}

const checksumOf = (body: Buffer): Buffer =>
  createHash('sha256').update(PREFIX).update(body).digest().subarray(0, CHECKSUM_BYTES);

const notAToken = (): MusterError =>
  new MusterError('TOKEN_INVALID', 'this is no join token', {
    why: `it does not start with ${PREFIX}`,
    fix: 'copy the whole line that head-node prints at its start',
  });

const truncated = (here: number, length: number): MusterError =>
  new MusterError('TOKEN_INVALID', 'the join token was cut off', {
    why: `${here} of its ${length} bytes are here`,
    fix: 'copy it again, to the end of the line',
  });

const mistyped = (): MusterError =>
  new MusterError('TOKEN_INVALID', 'the join token has a wrong character', {
    why: 'its checksum does not fit',
    fix: 'copy it again instead of typing it',
  });
