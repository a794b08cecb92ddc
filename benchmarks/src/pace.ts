/** A load that comes at a steady rate instead of as fast as it can. */
import { setTimeout } from 'node:timers/promises';

export interface Pace {
  /** Subtasks per second. */
  readonly perSecond: number;
  /** Subtasks that come together. */
  readonly slice: number;
  /** Subtasks in all; a multiple of `slice` is reached. */
  readonly count: number;
}

/** When each slice is due, in ms from the first. */
export function dueTimesMs({ perSecond, slice, count }: Pace): number[] {
  const slices = Math.ceil(count / slice);
  return Array.from({ length: slices }, (_, at) => (at * slice * 1000) / perSecond);
}

/**
 * Calls `send` at each due time. One that is late does not move those behind it: they come at once until the schedule is caught up with,
 * so that a slow receiver cannot lower the rate unseen.
 */
export async function paced(dueMs: readonly number[], send: () => void): Promise<void> {
  const startMs = performance.now();
  for (const due of dueMs) {
    const waitMs = startMs + due - performance.now();
    // A timer counts whole milliseconds.
    if (waitMs >= 1) await setTimeout(Math.floor(waitMs));
    send();
  }
}
