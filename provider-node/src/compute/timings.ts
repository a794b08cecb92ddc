import type { Done } from './compute-protocol.ts';

/** Where the time of a job went, ms. */
export type Timings = Record<'computeMs' | 'readMs' | 'writeMs', number>;

export const noTimings = (): Timings => ({ computeMs: 0, readMs: 0, writeMs: 0 });

/** Does it and adds the time that it took. */
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
