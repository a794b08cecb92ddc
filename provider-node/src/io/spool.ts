/**
 * Finished work that no head has settled, as one small file for each lease beside its result: what is left of it after a crash.
 * A file that is torn, or was not written any more, is work that is done again.
 */
import { taskTypeNamed } from '@muster/shared';
import { makeStateDirectory, removeFile } from '@muster/shared/io';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HeldWork } from '../core/provider-state.ts';

export class Spool {
  readonly #directory: string;

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, 'spool');
    makeStateDirectory(this.#directory);
  }

  /** Not synced: after a power failure the head gives the work out again. */
  put({ lease, attempt, task, taskType, ranges, work, mirrored, fetchMs, result }: HeldWork): void {
    const path = this.#pathOf(lease);
    const spooled: Spooled = { lease, attempt, task, taskType, ranges, work, mirrored, fetchMs, result };
    writeFileSync(`${path}.new`, JSON.stringify(spooled), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  drop(lease: number): void {
    removeFile(this.#pathOf(lease));
  }

  /** What cannot be read is dropped. */
  load(): HeldWork[] {
    return readdirSync(this.#directory).flatMap((name) => {
      const path = join(this.#directory, name);
      try {
        if (!name.endsWith('.json')) throw new Error('it was not written to its end');
        return [heldFrom(readFileSync(path, 'utf8'))];
      } catch {
        removeFile(path);
        return [];
      }
    });
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
