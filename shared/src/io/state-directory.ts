import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { MusterError } from '../errors.ts';

/** The platform's place for a user's program state. */
export function defaultStateDirectory(name: string): string {
  const { XDG_STATE_HOME, LOCALAPPDATA } = process.env;
  if (process.platform === 'win32') return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'muster', name);
  return join(XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'muster', name);
}

/** Makes it, for this account only. Throws USAGE when the system refuses. */
export function makeStateDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new MusterError('USAGE', `the state directory ${directory} cannot be made`, {
      why: cause instanceof Error ? cause.message : String(cause),
      fix: '--state with a directory that this account may write to',
      cause,
    });
  }
}
