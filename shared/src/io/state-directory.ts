import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { MusterError } from '../errors.ts';
import { systemCodeOf } from './disk-errors.ts';

/** The platform's place for a user's program state. */
export function defaultStateDirectory(name: string): string {
  const { XDG_STATE_HOME, LOCALAPPDATA } = process.env;
  if (process.platform === 'win32') return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'muster', name);
  return join(XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'muster', name);
}

/** Makes it, for this account only. Throws USAGE when the system refuses. */
export function makeStateDirectory(directory: string): void {
  try {
    makeStepByStep(resolve(directory));
  } catch (cause) {
    throw new MusterError('USAGE', `the state directory ${directory} cannot be made`, {
      why: cause instanceof Error ? cause.message : String(cause),
      fix: '--state with a directory that this account may write to',
      cause,
    });
  }
}

/** Not with mkdir's `recursive`, which loops for ever below a folder such as /proc that takes no new ones. */
function makeStepByStep(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return accessSync(directory, constants.W_OK);
  if (found !== undefined) throw new Error(`${directory} is no directory`);
  const parent = dirname(directory);
  if (parent !== directory) makeStepByStep(parent);
  makeOne(directory);
}

function makeOne(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error;
  }
}
