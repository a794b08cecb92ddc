import { describe, expect, test } from '@jest/globals';
import { resolved } from '@muster/shared/testkit';
import { BufferPool } from '../src/buffer-pool.ts';

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
