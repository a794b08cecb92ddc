import { randomBytes } from 'node:crypto';
import {
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { MusterError } from '../errors.ts';
import { systemCodeOf, withDiskErrors } from './disk-errors.ts';

/** Directories that this process holds. Its own pid in a lock file proves nothing: in a container every start may get the same one. */
const heldHere = new Set<string>();

/**
 * One process at a time in a state directory. The file holds the owner's pid and, where /proc tells it, when that process started; a file
 * whose owner is gone (killed, or the machine was restarted) is taken over.
 */
export class DirectoryLock {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Throws STATE_IN_USE and DISK_FULL. */
  static take(directory: string): DirectoryLock {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, 'lock');
    if (heldHere.has(path)) throw inUse(directory, process.pid);
    if (!create(path)) {
      const seen = contentOf(path);
      const owner = ownerOf(path, seen);
      if (owner !== undefined) throw inUse(directory, owner);
      if (!takeAway(path, seen) || !create(path)) throw inUse(directory, ownerOf(path, contentOf(path)) ?? 0);
    }
    heldHere.add(path);
    return new DirectoryLock(path);
  }

  release(): void {
    heldHere.delete(this.#path);
    rmSync(this.#path, { force: true });
  }
}

/** The lock appears with its content, so that no process takes a half-written one for stale. */
function create(path: string): boolean {
  const own = aside(path);
  try {
    const content = `${process.pid} ${startOf(process.pid)}`;
    withDiskErrors({ path, bytes: content.length }, () => writeFileSync(own, content, { flag: 'wx', mode: 0o600 }));
    placeExclusively(own, path);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Throws EEXIST. Some file systems have no links. */
function placeExclusively(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') throw error;
    copyFileSync(from, to, constants.COPYFILE_EXCL);
  }
}

/**
 * Removes a stale lock whose content was `seen`. False if it has been replaced since: of two processes that saw the same stale lock, the
 * slower would remove the lock that the faster has just made. So it is renamed first, and put back if its content differs.
 */
export function takeAway(path: string, seen: string): boolean {
  const taken = aside(path);
  try {
    renameSync(path, taken);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return true;
    throw error;
  }
  if (contentOf(taken) === seen) {
    rmSync(taken, { force: true });
    return true;
  }
  putBack(taken, path);
  return false;
}

function putBack(taken: string, path: string): void {
  try {
    placeExclusively(taken, path);
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(taken, { force: true });
  }
}

const aside = (path: string): string => `${path}.${process.pid}.${randomBytes(6).toString('hex')}`;

/** '' when it is gone. */
function contentOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return '';
    throw error;
  }
}

/** Process number of a living owner. */
function ownerOf(path: string, content: string): number | undefined {
  const [pid, ...start] = content.split(' ');
  const owner = Number(pid);
  if (!Number.isInteger(owner) || owner <= 0 || owner === process.pid || !isAlive(owner)) return undefined;
  if (start.join(' ') !== startOf(owner)) return undefined;
  const startedMs = Date.now() - uptime() * 1000;
  const writtenMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return writtenMs < startedMs - CLOCK_SLACK_MS ? undefined : owner;
}

/** The clock may have been set since the file was written. */
const CLOCK_SLACK_MS = 60_000;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === 'EPERM';
  }
}

/** Clock ticks from boot to the start of the process, with the boot's own id; '' where /proc does not tell. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Field 22; counted from behind the command's name, which may hold spaces.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${ticks}`;
  } catch {
    return '';
  }
}

const inUse = (directory: string, pid: number): MusterError =>
  new MusterError('STATE_IN_USE', `another process uses ${directory}`, {
    why: `process ${pid} holds it`,
    fix: `stop that process, or give this one another directory: --state DIR, or for a provider --name OTHER; if it is no program of Muster, delete ${join(directory, 'lock')}`,
  });
