/**
 * Finished work that no head has settled, as one small file for each lease beside its result: what is left of it after a crash.
 * A file that is torn, or was not written any more, is work that is done again.
 */
import { taskTypeNamed, type Logger } from '@muster/shared';
import { makeStateDirectory, removeFile } from '@muster/shared/io';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HeldWork } from '../core/provider-state.ts';

/** Most results are settled sooner, and need no file: making one takes 0.1 to 0.7 ms. */
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

  /** `put` at the end of a quarter of a second, unless it is dropped before. A crash in between is work that is done again. */
  putSoon(held: HeldWork): void {
    this.#soon.set(held.lease, held);
    this.#timer ??= setTimeout(() => this.flush(), SPOOL_AFTER_MS);
  }

  /** What was to be put soon is put now. What a full disk has no room for is done again after a crash. */
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

  /** What cannot be read is dropped. */
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

/** What this program wrote, so that only its age and its work are in question. */
type Spooled = Pick<
  HeldWork,
  'lease' | 'attempt' | 'task' | 'taskType' | 'ranges' | 'work' | 'mirrored' | 'fetchMs' | 'result'
>;

function heldFrom(text: string): HeldWork {
  const spooled = JSON.parse(text) as Spooled;
  const { work, blocks } = taskTypeNamed(spooled.taskType).readWork(spooled.work);
  // A version before this one did not write the attempt.
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
