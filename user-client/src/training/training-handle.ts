import type { TaskId, TaskStatus } from '@muster/shared';
import { writeFileAtomically } from '@muster/shared/io';
import { fileError } from '../file-error.ts';
import type { ProgressListener, TaskHandle } from '../task-handle.ts';
import { readCheckpoint, weightsOf, type ModelWeights } from './checkpoint-file.ts';

export type FetchCheckpoint = () => Promise<Uint8Array<ArrayBuffer>>;

/** A training run on the head. Its checkpoint is available once the first was written, also after the run was cancelled. */
export class TrainingHandle {
  /** The run as a plain task. */
  readonly task: TaskHandle;
  readonly #fetch: FetchCheckpoint;

  constructor(task: TaskHandle, fetch: FetchCheckpoint) {
    this.task = task;
    this.#fetch = fetch;
  }

  get taskId(): TaskId {
    return this.task.taskId;
  }

  /** Resolves when the head has all samples durably. */
  get uploaded(): Promise<void> {
    return this.task.uploaded;
  }

  /** `status.training` has step, loss and accuracy; null before the run has begun. Returns a function that unsubscribes. */
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

  /** Weights of the latest checkpoint by name: the final ones once `wait()` has resolved. */
  async model(): Promise<ModelWeights> {
    return weightsOf(readCheckpoint(await this.#fetch(), `the checkpoint of task ${this.taskId}`));
  }

  /** Writes the latest checkpoint to a file from which a run can be resumed. */
  async checkpoint(path: string): Promise<void> {
    writeCheckpoint(path, await this.#fetch());
  }
}

/** Atomic. @throws BAD_DATA, DISK_FULL */
export function writeCheckpoint(path: string, bytes: Uint8Array): void {
  try {
    writeFileAtomically(path, bytes);
  } catch (error) {
    throw fileError(error, `${path} cannot be written`);
  }
}
