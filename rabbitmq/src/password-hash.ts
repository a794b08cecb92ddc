import { createHash, randomBytes } from 'node:crypto';

const SALT_BYTES = 4;

/**
 * `password_hash` of a user in RabbitMQ's definitions (rabbit_password_hashing_sha256): base64(salt || sha256(salt || password)).
 * Equal passwords give different hashes unless the salt is given.
 */
export function hashPassword(password: string, salt: Uint8Array = randomBytes(SALT_BYTES)): string {
  const digest = createHash('sha256').update(salt).update(password, 'utf8').digest();
  return Buffer.concat([salt, digest]).toString('base64');
}
