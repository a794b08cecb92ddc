/**
 * Copies of results that came by the broker, until they are acknowledged. That is when nobody needs them any more: their lease is
 * settled, which the journal has on disk, or void.
 */
import type { TaskId } from '@muster/shared';

export interface ResultCopy {
  readonly task: TaskId;
  readonly lease: number;
  readonly ack: () => void;
}

export interface CopyNeeds {
  /** The lease is waited for, or what became of it is not on disk yet. */
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

  /** The result may be taken now if this is true; else nobody needs it, and it is acknowledged. One that came before is no more than it. */
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

  /** It was taken, or is of no use. */
  looked(lease: number): void {
    if (!this.#needs.isOpen(lease)) this.release(lease);
  }

  release(lease: number): void {
    const copy = this.#held.get(lease);
    this.#held.delete(lease);
    copy?.ack();
  }

  /** The end of the task is on disk. */
  end(task: TaskId): void {
    for (const [lease, copy] of this.#held) if (copy.task === task) this.release(lease);
  }
}
