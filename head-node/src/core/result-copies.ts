/**
 * Unacknowledged copies of results from the broker. A copy is acknowledged when its lease is void, or settled and that is on disk in the
 * journal.
 */
import type { TaskId } from '@muster/shared';

export interface ResultCopy {
  readonly task: TaskId;
  readonly lease: number;
  readonly ack: () => void;
}

export interface CopyNeeds {
  /** The lease is open, or its outcome is not on disk yet. */
  isOpen(lease: number): boolean;
  /** Results of the task may still count, or its end is not on disk yet. */
  isRunning(task: TaskId): boolean;
}

export class ResultCopies {
  readonly #needs: CopyNeeds;
  /** By lease. */
  readonly #held = new Map<number, ResultCopy>();

  constructor(needs: CopyNeeds) {
    this.#needs = needs;
  }

  /**
   * True: the result may be taken now. False: its task is over, and the copy was acknowledged. An earlier copy of the same lease is
   * acknowledged; only the newest is kept.
   */
  hold(copy: ResultCopy): boolean {
    const before = this.#held.get(copy.lease);
    this.#held.set(copy.lease, copy);
    before?.ack();
    if (this.#needs.isRunning(copy.task)) return true;
    this.release(copy.lease);
    return false;
  }

  has(lease: number): boolean {
    return this.#held.has(lease);
  }

  /** To be called when the result was taken, or is of no use: acknowledges the copy unless its lease is open. */
  looked(lease: number): void {
    if (!this.#needs.isOpen(lease)) this.release(lease);
  }

  release(lease: number): void {
    const copy = this.#held.get(lease);
    this.#held.delete(lease);
    copy?.ack();
  }

  /** To be called when the end of the task is on disk. */
  end(task: TaskId): void {
    for (const [lease, copy] of this.#held) if (copy.task === task) this.release(lease);
  }
}
