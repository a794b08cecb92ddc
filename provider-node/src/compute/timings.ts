import type { Done } from './compute-protocol.ts';

/** Time spent in each phase of a job, in ms. */
export type Timings = Record<'computeMs' | 'readMs' | 'writeMs', number>;

export const noTimings = (): Timings => ({ computeMs: 0, readMs: 0, writeMs: 0 });

/** Runs `work` and adds its duration to `account`. */
export function timed<T>(timings: Timings, account: keyof Timings, work: () => T): T {
  const start = performance.now();
  try {
    return work();
  } finally {
    timings[account] += performance.now() - start;
  }
}

export async function timedAwait<T>(timings: Timings, account: keyof Timings, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    return await work();
  } finally {
    timings[account] += performance.now() - start;
  }
}

export const doneIn = (timings: Timings, bytes: number, fallback = ''): Done => ({ ...timings, bytes, fallback });
