/**
 * Tasks whose streams may be in the broker, one empty file each, until the broker confirms that they are deleted. A head that is killed at
 * the end of a task, or whose broker is away then, leaves the deletion to its next start; the broker itself never deletes a stream.
 */
import { isTaskId, type Logger, type TaskId } from '@muster/shared';
import { makeStateDirectory, removeFile } from '@muster/shared/io';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class OpenStreams {
  readonly #directory: string;
  readonly #logger: Logger;

  constructor(stateDirectory: string, logger: Logger) {
    this.#directory = join(stateDirectory, 'streams');
    this.#logger = logger;
    makeStateDirectory(this.#directory);
  }

  /** A failure is only logged: the task matters more than a stream that may be left behind. */
  add(task: TaskId): void {
    try {
      writeFileSync(join(this.#directory, task), '', { mode: 0o600 });
    } catch (error) {
      this.#logger.warn({ error, task }, 'the streams of a task may stay in the broker after it');
    }
  }

  remove(task: TaskId): void {
    removeFile(join(this.#directory, task));
  }

  tasks(): TaskId[] {
    return readdirSync(this.#directory).filter(isTaskId);
  }
}
