import { deferred, type Deferred, type TaskId } from '@muster/shared';

/** Per task: publications still in an outbox, publications that the broker will never have, and waiters for the outbox to empty. */
export class Watermarks {
  readonly #open = new Map<TaskId, number>();
  readonly #lost = new Map<TaskId, number>();
  readonly #waiting = new Map<TaskId, Deferred<void>>();
  /** Tasks forgotten while publications of theirs were still in an outbox. */
  readonly #forgotten = new Set<TaskId>();

  opened(task: TaskId): void {
    this.#open.set(task, (this.#open.get(task) ?? 0) + 1);
  }

  closed(task: TaskId): void {
    const left = (this.#open.get(task) ?? 0) - 1;
    if (left > 0) {
      this.#open.set(task, left);
      return;
    }
    this.#open.delete(task);
    this.#forgotten.delete(task);
    this.#waiting.get(task)?.resolve();
    this.#waiting.delete(task);
  }

  wasLost(task: TaskId): void {
    if (!this.#forgotten.has(task)) this.#lost.set(task, this.lost(task) + 1);
  }

  lost(task: TaskId): number {
    return this.#lost.get(task) ?? 0;
  }

  forget(task: TaskId): void {
    this.#lost.delete(task);
    if (this.#open.has(task)) this.#forgotten.add(task);
  }

  settled(task: TaskId): Promise<void> {
    if (!this.#open.has(task)) return Promise.resolve();
    const waiting = this.#waiting.get(task) ?? deferred<void>();
    this.#waiting.set(task, waiting);
    return waiting.promise;
  }
}
