/** A load at a steady rate instead of as fast as possible. */
import { setTimeout } from 'node:timers/promises';

export interface Pace {
  /** Subtasks per second. */
  readonly perSecond: number;
  /** Subtasks that are sent together. */
  readonly slice: number;
  /** Subtasks in all, rounded up to a multiple of `slice`. */
  readonly count: number;
}

/** When each slice is due, in ms from the first. */
export function dueTimesMs({ perSecond, slice, count }: Pace): number[] {
  const slices = Math.ceil(count / slice);
  return Array.from({ length: slices }, (_, at) => (at * slice * 1000) / perSecond);
}

/**
 * Calls `send` at each due time. A late call does not delay the next ones: they follow at once until the schedule is caught up with, so
 * that a slow receiver cannot lower the rate unnoticed.
 */
export async function paced(dueMs: readonly number[], send: () => void): Promise<void> {
  const startMs = performance.now();
  for (const due of dueMs) {
    const waitMs = startMs + due - performance.now();
    // Timers count whole milliseconds.
    if (waitMs >= 1) await setTimeout(Math.floor(waitMs));
    send();
  }
}
