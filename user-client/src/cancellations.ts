import { isMusterError, type TaskId } from '@muster/shared';

/** Outcome of the cancellations that this process requested. */
export interface GivenUp {
  /** The head has answered. */
  readonly cancelled: readonly TaskId[];
  /** The head did not answer: these tasks may go on. */
  readonly unheard: readonly TaskId[];
}

/** Closing the client waits for these requests, because ZeroMQ drops what it has not sent by then. */
export class Cancellations {
  readonly #heard = new Map<TaskId, Promise<boolean>>();

  /** `answer` must settle within a time limit of its own. */
  add(task: TaskId, answer: Promise<unknown>): void {
    const heard = answer.then(
      () => true,
      // A refusal means that the task does not exist or is not ours.
      (error: unknown) => isMusterError(error) && error.code !== 'HEAD_UNREACHABLE' && error.code !== 'INTERRUPTED',
    );
    this.#heard.set(task, heard);
  }

  async outcome(): Promise<GivenUp> {
    const answers = await Promise.all([...this.#heard].map(async ([task, heard]) => ({ task, heard: await heard })));
    const tasksThat = (were: boolean): TaskId[] =>
      answers.filter(({ heard }) => heard === were).map(({ task }) => task);
    return { cancelled: tasksThat(true), unheard: tasksThat(false) };
  }
}
