import { readFileSync } from 'node:fs';
import { MusterError } from '../errors.ts';
import { takeSecret, type SecretOption, type SecretSurroundings } from './secret-option.ts';

/**
 * No flag: on the command line it is an argument, the pasted line. That is valid for a short time and a few machines, and only lets them
 * join.
 */
export const JOIN_TOKEN: SecretOption = { variable: 'MUSTER_TOKEN', flag: '', what: 'the join token' };

/**
 * The join token: `given` (standard input for `-`), else MUSTER_TOKEN, else the content of the file that MUSTER_TOKEN_FILE names; null for
 * none. It is removed from the environment, which child processes inherit. Throws USAGE when the file cannot be read.
 */
export function takeJoinToken(given: string | undefined, surroundings: SecretSurroundings = {}): string | null {
  const { env = process.env } = surroundings;
  if (given === undefined) return takeSecret(env[JOIN_TOKEN.variable], JOIN_TOKEN, surroundings);
  delete env[JOIN_TOKEN.variable];
  return given === '-' ? readFileSync(0, 'utf8') : given;
}

/** Throws USAGE when there is none. */
export function expectJoinToken(given: string | undefined): string {
  const line = takeJoinToken(given);
  if (line !== null) return line;
  throw new MusterError('USAGE', 'the join token is missing', {
    why: 'none was given, and neither MUSTER_TOKEN nor MUSTER_TOKEN_FILE is set',
    fix: "on the head's machine: head-node token create",
  });
}
