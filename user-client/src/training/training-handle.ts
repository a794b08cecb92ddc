import type { TaskId, TaskStatus } from '@muster/shared';
import { writeFileAtomically } from '@muster/shared/io';
import { fileError } from '../file-error.ts';
import type { ProgressListener, TaskHandle } from '../task-handle.ts';
import { readCheckpoint, weightsOf, type ModelWeights } from './checkpoint-file.ts';

export type FetchCheckpoint = () => Promise<Uint8Array<ArrayBuffer>>;

/** A training run on the head. Its checkpoint can be had at any time after the first was written, also when the run was cancelled. */
export class TrainingHandle {
  /** The run as any other task. */
  readonly task: TaskHandle;
  readonly #fetch: FetchCheckpoint;

  constructor(task: TaskHandle, fetch: FetchCheckpoint) {
    this.task = task;
    this.#fetch = fetch;
  }

  get taskId(): TaskId {
    return this.task.taskId;
  }

  /** Resolves when the head has all samples. */
  get uploaded(): Promise<void> {
    return this.task.uploaded;
  }

  /** `status.training` tells step, loss and accuracy; null before the run has begun. Returns the way to stop it. */
  onProgress(listener: ProgressListener): () => void {
    return this.task.onProgress(listener);
  }

  /** The final status. Rejects with the task's error, such as DIVERGED, TIMEOUT or TASK_CANCELLED. */
  wait(): Promise<TaskStatus> {
    return this.task.wait();
  }

  cancel(timeoutMs?: number): Promise<void> {
    return this.task.cancel(timeoutMs);
  }

  /** The weights of the latest checkpoint by name: the final ones when `wait()` has resolved. */
  async model(): Promise<ModelWeights> {
    return weightsOf(readCheckpoint(await this.#fetch(), `the checkpoint of task ${this.taskId}`));
  }

  /** Writes the latest checkpoint to a file, from which a run can go on. */
  async checkpoint(path: string): Promise<void> {
    writeCheckpoint(path, await this.#fetch());
  }
}

/** Whole or not at all. @throws BAD_DATA, DISK_FULL */
export function writeCheckpoint(path: string, bytes: Uint8Array): void {
  try {
    writeFileAtomically(path, bytes);
  } catch (error) {
    throw fileError(error, `${path} cannot be written`);
  }
}
