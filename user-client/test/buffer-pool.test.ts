import { describe, expect, test } from '@jest/globals';
import { BufferPool } from '../src/buffer-pool.ts';

/** How many of the promises have resolved by now. */
async function resolved(promises: readonly Promise<unknown>[]): Promise<number> {
  let count = 0;
  for (const promise of promises) void promise.then(() => (count += 1));
  await new Promise((resolve) => setImmediate(resolve));
  return count;
}

describe('BufferPool', () => {
  test('lends what was given back, never what was forgotten', async () => {
    const pool = new BufferPool();
    const first = await pool.lend(100);
    pool.giveBack(first);
    const second = await pool.lend(60);
    expect(second.buffer).toBe(first.buffer);
    expect(second.byteLength).toBe(60);
    pool.forget(second);
    expect((await pool.lend(60)).buffer).not.toBe(first.buffer);
  });

  test('waits while 64 MiB are lent', async () => {
    const pool = new BufferPool();
    const size = 24 * 2 ** 20;
    const lent = [pool.lend(size), pool.lend(size), pool.lend(size)];
    expect(await resolved(lent)).toBe(2);
    pool.giveBack(await lent[0]!);
    expect(await resolved(lent)).toBe(3);
  });
});
