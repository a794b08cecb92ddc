import { isMusterError, type TaskId } from '@muster/shared';

/** What became of the tasks that this process gave up. */
export interface GivenUp {
  /** The head knows. */
  readonly cancelled: readonly TaskId[];
  /** The head did not answer: these may go on. */
  readonly unheard: readonly TaskId[];
}

/** Closing waits for them: what ZeroMQ has not sent by then is lost. */
export class Cancellations {
  readonly #heard = new Map<TaskId, Promise<boolean>>();

  /** `answer` has a time limit of its own. */
  add(task: TaskId, answer: Promise<unknown>): void {
    const heard = answer.then(
      () => true,
      // A task that the head refuses to cancel is not there, or not ours.
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
