import { readFileSync } from 'node:fs';
import { MusterError } from '../errors.ts';

/**
 * The join token: what is given, from standard input for `-`, else what MUSTER_TOKEN says, else what is in the file that MUSTER_TOKEN_FILE
 * names; null for none. It leaves the environment, which child processes inherit. Throws USAGE when the file cannot be read.
 */
export function takeJoinToken(given: string | undefined, env: NodeJS.ProcessEnv = process.env): string | null {
  const { MUSTER_TOKEN: variable = '', MUSTER_TOKEN_FILE: file = '' } = env;
  delete env['MUSTER_TOKEN'];
  if (given === '-') return readFileSync(0, 'utf8');
  if (given !== undefined) return given;
  if (variable !== '') return variable;
  return file === '' ? null : tokenIn(file);
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new MusterError('USAGE', 'MUSTER_TOKEN_FILE names a file that cannot be read', {
      why: cause instanceof Error ? cause.message : file,
      fix: 'write the join token into the file, or give it as an argument',
      cause,
    });
  }
}

/** Without one there is nothing to join. */
export function expectJoinToken(given: string | undefined): string {
  const line = takeJoinToken(given);
  if (line !== null) return line;
  throw new MusterError('USAGE', 'the join token is missing', {
    why: 'none was given, and neither MUSTER_TOKEN nor MUSTER_TOKEN_FILE is set',
    fix: "on the head's machine: head-node token create",
  });
}
