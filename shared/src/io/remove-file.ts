import { rmSync } from 'node:fs';
import { systemCodeOf } from './disk-errors.ts';

/** Windows does not remove a file that somebody has open, a virus scanner for one. */
const HELD = ['EBUSY', 'EPERM', 'EACCES'];

/** False when somebody holds it: then it is for the next start to clear away. */
export function removeFile(path: string): boolean {
  try {
    rmSync(path, { force: true });
    return true;
  } catch (error) {
    if (!HELD.includes(systemCodeOf(error))) throw error;
    return false;
  }
}
