import { describe, expect, test } from '@jest/globals';
import { BufferPool } from '../src/buffer-pool.ts';
import { Limiter } from '../src/limiter.ts';

/** How many of the promises have resolved by now. */
async function resolved(promises: readonly Promise<unknown>[]): Promise<number> {
  let count = 0;
  for (const promise of promises) void promise.then(() => (count += 1));
  await new Promise((resolve) => setImmediate(resolve));
  return count;
}

describe('Limiter', () => {
  test('lets in what fits, in order', async () => {
    const limiter = new Limiter(3);
    const entered = [limiter.enter(2), limiter.enter(2), limiter.enter(1)];
    // The third would fit, but does not overtake.
    expect(await resolved(entered)).toBe(1);
    limiter.leave(2);
    expect(await resolved(entered)).toBe(3);
  });

  test('what is larger than everything enters alone', async () => {
    const limiter = new Limiter(3);
    const entered = [limiter.enter(1), limiter.enter(9), limiter.enter(1)];
    expect(await resolved(entered)).toBe(1);
    limiter.leave(1);
    expect(await resolved(entered)).toBe(2);
    limiter.leave(9);
    expect(await resolved(entered)).toBe(3);
  });
});

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
