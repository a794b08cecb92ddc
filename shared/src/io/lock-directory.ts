/** One process at a time per state directory. The lock file holds the owner's pid; a lock of a dead process is taken over. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MusterError } from '../errors.ts';
import { systemCodeOf } from './disk-errors.ts';

export interface DirectoryLock {
  release(): void;
}

/** Throws STATE_IN_USE with `fix` as the way out. */
export function lockDirectory(directory: string, fix: string): DirectoryLock {
  const file = join(directory, 'lock');
  for (let attempt = 0; attempt < 2; attempt += 1) {
    if (tryCreate(file)) return { release: () => rmSync(file, { force: true }) };
    const owner = ownerOf(file);
    if (owner !== null && isAlive(owner)) throw inUse({ directory, fix, why: `process ${owner} holds ${file}` });
    rmSync(file, { force: true });
  }
  throw inUse({ directory, fix, why: `${file} came back as fast as it was removed` });
}

const inUse = ({ directory, why, fix }: { directory: string; why: string; fix: string }): MusterError =>
  new MusterError('STATE_IN_USE', `another process uses ${directory}`, { why, fix });

function tryCreate(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function ownerOf(file: string): number | null {
  try {
    return Number(readFileSync(file, 'utf8')) || null;
  } catch {
    return null;
  }
}

/** A signal that is not ours to send still tells that there is somebody. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === 'EPERM';
  }
}
