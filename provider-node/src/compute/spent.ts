import type { Done } from './compute-protocol.ts';

/** Where the time of a job went, ms. */
export type Spent = Record<'computeMs' | 'readMs' | 'writeMs', number>;

export const nothingSpent = (): Spent => ({ computeMs: 0, readMs: 0, writeMs: 0 });

/** Does it and adds the time that it took. */
export function charge<T>(spent: Spent, account: keyof Spent, work: () => T): T {
  const start = performance.now();
  try {
    return work();
  } finally {
    spent[account] += performance.now() - start;
  }
}

export async function chargeAwait<T>(spent: Spent, account: keyof Spent, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    return await work();
  } finally {
    spent[account] += performance.now() - start;
  }
}

export const doneIn = (spent: Spent, bytes: number, fallback = ''): Done => ({ ...spent, bytes, fallback });
