import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { MusterError } from '../errors.ts';
import { systemCodeOf } from './disk-errors.ts';

/** Directories that this very process holds: its own number in a file proves nothing, a container may give it to every start. */
const heldHere = new Set<string>();

/**
 * One process at a time in a state directory. The file holds the owner's process number and, where the system tells it, when
 * that process started; a file whose owner is gone (killed, or the machine was restarted) is taken over.
 */
export class DirectoryLock {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Throws STATE_IN_USE. */
  static take(directory: string): DirectoryLock {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, 'lock');
    if (heldHere.has(path)) throw inUse(directory, process.pid);
    if (!create(path)) {
      const owner = ownerOf(path);
      if (owner !== undefined) throw inUse(directory, owner);
      rmSync(path, { force: true });
      if (!create(path)) throw inUse(directory, ownerOf(path) ?? 0);
    }
    heldHere.add(path);
    return new DirectoryLock(path);
  }

  release(): void {
    heldHere.delete(this.#path);
    rmSync(this.#path, { force: true });
  }
}

function create(path: string): boolean {
  try {
    writeFileSync(path, `${process.pid} ${startOf(process.pid)}`, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Process number of a living owner. */
function ownerOf(path: string): number | undefined {
  const [pid, ...start] = readFileSync(path, 'latin1').split(' ');
  const owner = Number(pid);
  if (!Number.isInteger(owner) || owner <= 0 || owner === process.pid || !isAlive(owner)) return undefined;
  if (start.join(' ') !== startOf(owner)) return undefined;
  const startedMs = Date.now() - uptime() * 1000;
  return statSync(path).mtimeMs < startedMs - CLOCK_SLACK_MS ? undefined : owner;
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
    fix: `stop that process, or start this one with --state on another directory; if it is no program of Muster, delete ${join(directory, 'lock')}`,
  });
