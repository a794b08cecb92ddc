import { homedir } from 'node:os';
import { join } from 'node:path';

/** The platform's place for a user's program state. */
export function defaultStateDirectory(name: string): string {
  const { XDG_STATE_HOME, LOCALAPPDATA } = process.env;
  if (process.platform === 'win32') return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'muster', name);
  return join(XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'muster', name);
}
