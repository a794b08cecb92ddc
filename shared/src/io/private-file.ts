import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { MusterError } from '../errors.ts';
import { writeFileAtomically } from './atomic-file.ts';
import { systemCodeOf } from './disk-errors.ts';

const OTHERS = 0o077;

/** Written atomically with mode 0600, in a folder for this account only. */
export function writePrivateFile(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileAtomically(path, content);
}

/** Null if it does not exist. Throws USAGE if other accounts may read it: its content is no secret any more. */
export function readPrivateFile(path: string): string | null {
  try {
    const { mode } = statSync(path);
    if (process.platform !== 'win32' && (mode & OTHERS) !== 0) throw exposed(path, mode);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error))) return null;
    throw error;
  }
}

const exposed = (path: string, mode: number): MusterError =>
  new MusterError('USAGE', `${path} holds a secret that other accounts can read`, {
    why: `its mode is ${(mode & 0o777).toString(8)}, not 600`,
    fix: `chmod 600 ${path}; if somebody may have read it, delete it and join again`,
  });
