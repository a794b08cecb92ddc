import { rmSync } from 'node:fs';
import { systemCodeOf } from './disk-errors.ts';

/** Windows does not remove a file that another process, such as a virus scanner, has open. */
const HELD = ['EBUSY', 'EPERM', 'EACCES'];

/** False if another process has it open: the next start has to clear it away. */
export function removeFile(path: string): boolean {
  try {
    rmSync(path, { force: true });
    return true;
  } catch (error) {
    if (!HELD.includes(systemCodeOf(error))) throw error;
    return false;
  }
}
