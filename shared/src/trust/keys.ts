/** CURVE key pairs: Curve25519 in Z85, as ZeroMQ takes them, made and combined by Node's own crypto. */
import { createHash, createPrivateKey, createPublicKey, diffieHellman, hkdfSync, randomBytes } from 'node:crypto';
import { MusterError } from '../errors.ts';
import { limits } from '../protocol/limits.ts';
import { decodeZ85, encodeZ85 } from './z85.ts';

export const KEY_BYTES = 32;

export interface KeyPair {
  /** 40 characters of Z85. */
  readonly publicKey: string;
  readonly secretKey: string;
}

/** DER around a raw key (RFC 8410). */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

export const isKey = (text: string): boolean => decodeZ85(text)?.length === KEY_BYTES;

/**
 * Is it acceptable as a public key? Refused are points of low order, which give the same shared secret, zero, with every key; and keys with
 * the highest bit set, which Curve25519 ignores, so that no key has two spellings.
 */
export function isPublicKey(text: string): boolean {
  const key = decodeZ85(text);
  if (key?.length !== KEY_BYTES || key[KEY_BYTES - 1]! >= 0x80) return false;
  try {
    return sealBetween(newKeyPair().secretKey, text) !== '';
  } catch {
    return false;
  }
}

export const newKeyPair = (): KeyPair => keyPairOf(randomBytes(KEY_BYTES));

/** The key pair that has these 32 bytes as its secret half. */
export function keyPairOf(secret: Uint8Array): KeyPair {
  const spki = createPublicKey(privateKey(secret)).export({ format: 'der', type: 'spki' });
  return { publicKey: encodeZ85(spki.subarray(-KEY_BYTES)), secretKey: encodeZ85(secret) };
}

/** A key pair derived from a secret, always the same; `purpose` keeps different uses apart. */
export const derivedKeyPair = (secret: Uint8Array, purpose: string): KeyPair => keyPairOf(derived(secret, purpose));

/**
 * Proof in every message to a head that the sender holds an enrolled key, because ZeroMQ tells no application whose key a message came
 * with. Eight bytes, in hex, that only the owners of either secret key can compute (X25519, then HKDF-SHA256); they travel encrypted, and
 * guessing them takes an enrolled key and 2^64 messages.
 */
export function sealBetween(ownSecretKey: string, otherPublicKey: string): string {
  const privateHalf = privateKey(rawKey(ownSecretKey));
  const key = Buffer.concat([PUBLIC_PREFIX, rawKey(otherPublicKey)]);
  const publicHalf = createPublicKey({ key, format: 'der', type: 'spki' });
  const common = diffieHellman({ privateKey: privateHalf, publicKey: publicHalf });
  return derived(common, 'muster seal 1').subarray(0, limits.sealBytes.value).toString('hex');
}

/** For display and logs: the first 16 hex digits of the key's SHA-256. */
export const fingerprintOf = (publicKey: string): string =>
  createHash('sha256').update(rawKey(publicKey)).digest('hex').slice(0, 16);

function rawKey(text: string): Buffer {
  const key = decodeZ85(text);
  if (key?.length === KEY_BYTES) return key;
  throw new MusterError('BAD_DATA', 'a key is not 32 bytes in Z85', { why: `it has ${text.length} characters` });
}

const privateKey = (secret: Uint8Array): ReturnType<typeof createPrivateKey> =>
  createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, secret]), format: 'der', type: 'pkcs8' });

const derived = (secret: Uint8Array, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', purpose, KEY_BYTES));
