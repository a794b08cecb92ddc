/**
 * Finished work that no head has settled, as one small file per lease in addition to its result: what survives a crash. Work whose file
 * is torn or was not written yet is done again.
 */
import { taskTypeNamed, type Logger } from '@muster/shared';
import { makeStateDirectory, removeFile } from '@muster/shared/io';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HeldWork } from '../core/provider-state.ts';

/** Most results are settled sooner and need no file: writing one takes 0.1 to 0.7 ms. */
export const SPOOL_AFTER_MS = 250;

export class Spool {
  readonly #directory: string;
  /** Leases that have a file. */
  readonly #spooled = new Set<number>();
  readonly #soon = new Map<number, HeldWork>();
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | null = null;

  constructor(stateDirectory: string, logger: Logger) {
    this.#logger = logger;
    this.#directory = join(stateDirectory, 'spool');
    makeStateDirectory(this.#directory);
  }

  /** Not synced: after a power failure the head gives the work out again. */
  put({ lease, attempt, task, taskType, ranges, work, mirrored, fetchMs, result }: HeldWork): void {
    const path = this.#pathOf(lease);
    const spooled: Spooled = { lease, attempt, task, taskType, ranges, work, mirrored, fetchMs, result };
    writeFileSync(`${path}.new`, JSON.stringify(spooled), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    this.#spooled.add(lease);
  }

  /** `put` after SPOOL_AFTER_MS, unless it is dropped before. After a crash in between the work is done again. */
  putSoon(held: HeldWork): void {
    this.#soon.set(held.lease, held);
    this.#timer ??= setTimeout(() => this.flush(), SPOOL_AFTER_MS);
  }

  /** Writes everything that is still due. What a full disk has no room for is done again after a crash. */
  flush(): void {
    clearTimeout(this.#timer ?? undefined);
    this.#timer = null;
    const soon = [...this.#soon.values()];
    this.#soon.clear();
    for (const held of soon) this.#putIfPossible(held);
  }

  drop(lease: number): void {
    this.#soon.delete(lease);
    if (this.#spooled.delete(lease)) removeFile(this.#pathOf(lease));
  }

  /** Removes files that cannot be read. */
  load(): HeldWork[] {
    return readdirSync(this.#directory).flatMap((name) => {
      const path = join(this.#directory, name);
      try {
        if (!name.endsWith('.json')) throw new Error('it was not written to its end');
        const held = heldFrom(readFileSync(path, 'utf8'));
        this.#spooled.add(held.lease);
        return [held];
      } catch {
        removeFile(path);
        return [];
      }
    });
  }

  #putIfPossible(held: HeldWork): void {
    try {
      this.put(held);
    } catch (error) {
      this.#logger.warn({ error, lease: held.lease }, 'a finished result would not survive a crash of this program');
    }
  }

  #pathOf(lease: number): string {
    return join(this.#directory, `${lease}.json`);
  }
}

/** Written by this program and therefore trusted, except that older versions lack fields and that `work` is parsed again. */
type Spooled = Pick<
  HeldWork,
  'lease' | 'attempt' | 'task' | 'taskType' | 'ranges' | 'work' | 'mirrored' | 'fetchMs' | 'result'
>;

function heldFrom(text: string): HeldWork {
  const spooled = JSON.parse(text) as Spooled;
  const { work, blocks } = taskTypeNamed(spooled.taskType).readWork(spooled.work);
  // Older versions did not write the attempt.
  return {
    ...spooled,
    attempt: spooled.attempt ?? 1,
    work,
    blocks,
    payload: null,
    phase: 'returned',
    revoked: false,
    receivedAtMs: 0,
  };
}
