/**
 * Results that their providers may forget once the journal has the outcome on disk. Nothing waits for a settlement, so those of a short
 * time share one confirmation.
 */
import type { SessionId, TaskId } from '@muster/shared';

export interface Settlement {
  /** Null: its provider is not registered. */
  readonly session: SessionId | null;
  readonly task: TaskId;
  readonly lease: number;
}

export interface SettledMessage {
  readonly session: SessionId;
  readonly task: TaskId;
  readonly leases: number[];
}

export class Settlements {
  readonly #waiting: Settlement[] = [];
  /** Settlements of each lease that are waiting or on their way to disk; two, if a dismissed result comes again by the broker. */
  readonly #open = new Map<number, number>();

  /** True when it is the first one since the last `take`. */
  add(settlement: Settlement): boolean {
    this.#open.set(settlement.lease, (this.#open.get(settlement.lease) ?? 0) + 1);
    return this.#waiting.push(settlement) === 1;
  }

  take(): Settlement[] {
    return this.#waiting.splice(0);
  }

  has(lease: number): boolean {
    return this.#open.has(lease);
  }

  /**
   * To be called when the journal has them on disk. Returns those that hold: not those of leases that are open again (`isOpen`) or have
   * another settlement under way.
   */
  written(settlements: readonly Settlement[], isOpen: (lease: number) => boolean): Settlement[] {
    for (const { lease } of settlements) this.#close(lease);
    return settlements.filter(({ lease }) => !this.has(lease) && !isOpen(lease));
  }

  #close(lease: number): void {
    const left = (this.#open.get(lease) ?? 0) - 1;
    if (left > 0) this.#open.set(lease, left);
    else this.#open.delete(lease);
  }
}

/** One message for each session and task. */
export function settledMessages(settlements: readonly Settlement[]): SettledMessage[] {
  const messages = new Map<string, SettledMessage>();
  for (const { session, task, lease } of settlements) {
    if (session === null) continue;
    const key = `${session} ${task}`;
    const message = messages.get(key);
    if (message === undefined) messages.set(key, { session, task, leases: [lease] });
    else message.leases.push(lease);
  }
  return [...messages.values()];
}
