import { afterEach, expect, test } from '@jest/globals';
import { blockIdOf } from '@muster/shared';
import { BlockStore } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { OfferedBlocks } from '../../src/io/offered-blocks.ts';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

const blockOf = (value: number): Buffer => Buffer.alloc(40, value);

async function offered() {
  const blocks = await BlockStore.open({ directory: directories.make(), maxBytes: 1000 });
  const desk = new OfferedBlocks(blocks, 100);
  const put = (value: number, from: number, to: number): boolean => {
    const bytes = blockOf(value);
    return desk.put({ id: blockIdOf(bytes), offset: from, total: bytes.length, bytes: bytes.subarray(from, to) });
  };
  return { blocks, desk, put };
}

test('of blocks that are not whole the first begun is given up for one that has no room beside them', async () => {
  const { blocks, put } = await offered();
  for (const value of [1, 2, 3]) expect(put(value, 0, 10)).toBe(false);
  expect(blocks.usedBytes).toBe(80);
  expect(put(2, 10, 40)).toBe(true);
  expect(put(1, 10, 40)).toBe(false);
  expect(put(1, 0, 10)).toBe(true);
});

test('whole ones, and those that a task waits for, are not given up', async () => {
  const { blocks, desk, put } = await offered();
  put(1, 0, 40);
  put(2, 0, 10);
  desk.taken(blockIdOf(blockOf(2)));
  for (const value of [3, 4, 5]) put(value, 0, 10);
  expect(put(2, 10, 40)).toBe(true);
  expect([1, 2].map((value) => blocks.has(blockIdOf(blockOf(value))))).toEqual([true, true]);
});

test('one that is longer than all that may be waited for is refused', async () => {
  const { blocks, desk } = await offered();
  const bytes = Buffer.alloc(10);
  const chunk = { id: blockIdOf(Buffer.alloc(101)), offset: 0, total: 101, bytes };
  expect(() => desk.put(chunk)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
  expect(blocks.usedBytes).toBe(0);
});
