import { expect, test } from '@jest/globals';
import { freeMemory } from '../../src/io/free-memory.ts';

test('a view and its siblings are empty afterwards', () => {
  const whole = new Float32Array(8).fill(1);
  const part = whole.subarray(2);
  freeMemory(part);
  expect([whole.length, part.length]).toEqual([0, 0]);
});

test('nothing waits for the garbage collector', () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 64; count += 1) freeMemory(new Uint8Array(2 ** 22).fill(1));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 23);
});

test.each([
  ['memory of several threads', () => new Uint8Array(new SharedArrayBuffer(4)).fill(7)],
  ['a piece of the pool of Buffer', () => Buffer.from([7, 7, 7, 7])],
])('%s stays as it is', (_, make) => {
  const view = make();
  freeMemory(view);
  expect([...view]).toEqual([7, 7, 7, 7]);
});
