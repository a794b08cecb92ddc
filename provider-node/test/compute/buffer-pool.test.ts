import { expect, test } from '@jest/globals';
import { BufferPool } from '../../src/compute/buffer-pool.ts';

test('a buffer that was given back is used again for what fits', () => {
  const pool = new BufferPool();
  const first = pool.take(1_000_000);
  pool.give(first);
  const second = pool.take(900_000);
  expect(second.buffer).toBe(first.buffer);
  expect(second.length).toBe(900_000);
});

test('a buffer in use is not shared, a far too large one not wasted', () => {
  const pool = new BufferPool();
  const large = pool.take(10_000_000);
  expect(pool.take(10_000_000).buffer).not.toBe(large.buffer);
  pool.give(large);
  expect(pool.take(100_000).buffer).not.toBe(large.buffer);
});

test('what is free is bounded', () => {
  const pool = new BufferPool();
  const taken = Array.from({ length: 5 }, () => pool.take(2 ** 24));
  for (const buffer of taken) pool.give(buffer);
  const again = Array.from({ length: 5 }, () => pool.take(2 ** 24));
  expect(taken.slice(1).map(({ buffer }) => buffer)).toEqual(again.slice(0, 4).map(({ buffer }) => buffer));
  expect(again[4]!.buffer).not.toBe(taken[0]!.buffer);
});
