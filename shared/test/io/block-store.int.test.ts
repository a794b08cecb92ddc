import { afterEach, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { BlockId } from '../../src/ids.ts';
import { BlockStore } from '../../src/io/block-store.ts';
import { seededRandom } from '../../src/random.ts';
import { blockIdOf } from '../../src/tensor/block-hash.ts';
import { TemporaryDirectories } from '../../src/testkit/temporary-directories.ts';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

const open = (maxBytes = 1000, directory = directories.make()): Promise<BlockStore> =>
  BlockStore.open({ directory, maxBytes });

function block(seed: number, length = 100): { id: BlockId; bytes: Buffer } {
  const random = seededRandom(seed);
  const bytes = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
  return { id: blockIdOf(bytes), bytes };
}

const chunk = ({ id, bytes }: { id: BlockId; bytes: Buffer }, from: number, to: number) => ({
  id,
  offset: from,
  total: bytes.length,
  bytes: bytes.subarray(from, to),
});

describe('BlockStore', () => {
  test('gives back what was put, whole and in pieces', async () => {
    const store = await open();
    const { id, bytes } = block(1);
    store.put(id, bytes);
    store.put(id, bytes);
    expect(store.usedBytes).toBe(100);
    expect(store.bytesOf(id)).toBe(100);
    expect(store.read(id, 0, 1000).equals(bytes)).toBe(true);
    expect(store.read(id, 90, 50).equals(bytes.subarray(90))).toBe(true);
    expect(store.read(id, 100, 10)).toHaveLength(0);
    const into = Buffer.alloc(30);
    expect(store.readInto(id, 80, into).equals(bytes.subarray(80))).toBe(true);
    expect(statSync(store.pathOf(id)).mode & 0o777).toBe(0o600);
  });

  test('recycles no block that somebody pinned', async () => {
    const store = await open();
    const { id, bytes } = block(1);
    store.put(id, bytes);
    store.pin(id);
    store.recycle(id);
    expect(store.read(id, 0, 1000).equals(bytes)).toBe(true);
    store.unpin(id);
    store.recycle(id);
    expect([store.has(id), existsSync(store.pathOf(id))]).toEqual([false, false]);
  });

  test('takes chunks in any order, twice, and overlapping', async () => {
    const store = await open(2 ** 20);
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.tuple(fc.nat(300), fc.nat(80)), { maxLength: 8 }),
        async (seed, pieces) => {
          const it = block(seed, 300);
          store.remove(it.id);
          for (const [from, length] of pieces) {
            if (store.receive(chunk(it, from, Math.min(300, from + length))) === 'complete') break;
          }
          for (const from of [200, 0, 100]) store.receive(chunk(it, from, from + 100));
          expect(store.read(it.id, 0, 300).equals(it.bytes)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
    expect(store.usedBytes % 300).toBe(0);
  });

  test('a block that arrives in chunks is not there before it is complete', async () => {
    const store = await open();
    const it = block(2);
    expect(store.receive(chunk(it, 0, 60))).toBe('partial');
    expect(store.has(it.id)).toBe(false);
    expect(existsSync(store.pathOf(it.id))).toBe(false);
    expect(store.usedBytes).toBe(100);
    expect(store.receive(chunk(it, 60, 100))).toBe('complete');
    expect(store.receive(chunk(it, 0, 60))).toBe('complete');
    expect(store.usedBytes).toBe(100);
  });

  test('what began to come and is not pinned makes room, where that is allowed', async () => {
    const all = [1, 2, 3].map((seed) => block(seed, 400));
    const [first, pinned, last] = [all[0]!, all[1]!, all[2]!];
    for (const dropsPartial of [false, true]) {
      const store = await BlockStore.open({ directory: directories.make(), maxBytes: 1000, dropsPartial });
      store.pin(pinned.id);
      for (const each of [first, pinned]) store.receive(chunk(each, 0, 100));
      if (dropsPartial) expect(store.receive(chunk(last, 0, 400))).toBe('complete');
      else expect(() => store.receive(chunk(last, 0, 400))).toThrow(expect.objectContaining({ code: 'DISK_FULL' }));
      expect(store.receive(chunk(pinned, 100, 400))).toBe('complete');
      expect(store.usedBytes).toBe(800);
    }
  });

  test('an empty block is complete at once', async () => {
    const store = await open();
    const it = block(3, 0);
    expect(store.receive(chunk(it, 0, 0))).toBe('complete');
    expect(store.read(it.id, 0, 10)).toHaveLength(0);
  });

  test('a damaged block is refused and can be sent again', async () => {
    const store = await open();
    const it = block(4);
    const damaged = { ...it, bytes: Buffer.from(it.bytes) };
    damaged.bytes[17] = (damaged.bytes[17] ?? 0) ^ 1;
    store.receive(chunk(damaged, 0, 50));
    expect(() => store.receive(chunk(it, 50, 100))).toThrow(expect.objectContaining({ code: 'BAD_DATA' }));
    expect(store.usedBytes).toBe(0);
    store.receive(chunk(it, 0, 50));
    expect(store.receive(chunk(it, 50, 100))).toBe('complete');
  });

  test('a chunk that does not fit its block is a protocol error', async () => {
    const store = await open();
    const it = block(5);
    store.receive(chunk(it, 0, 10));
    expect(() => store.receive({ ...chunk(it, 0, 10), total: 90 })).toThrow(
      expect.objectContaining({ code: 'PROTOCOL' }),
    );
    expect(() => store.receive({ ...chunk(it, 0, 10), offset: 95 })).toThrow(
      expect.objectContaining({ code: 'PROTOCOL' }),
    );
  });

  test('many blocks are received at the same time with few open files', async () => {
    const store = await open(2 ** 20);
    const blocks = Array.from({ length: 150 }, (_, seed) => block(seed, 64));
    for (const it of blocks) store.receive(chunk(it, 0, 30));
    for (const it of blocks) expect(store.receive(chunk(it, 30, 64))).toBe('complete');
    for (const it of blocks) expect(store.read(it.id, 0, 64).equals(it.bytes)).toBe(true);
  });

  test('the least recently used block leaves first; a pinned one stays', async () => {
    const store = await open(300);
    const [a, b, c, d] = [block(1), block(2), block(3), block(4)];
    for (const it of [a, b, c]) store.put(it.id, it.bytes);
    store.touch(a.id);
    store.pin(b.id);
    store.put(d.id, d.bytes);
    expect([a, b, c, d].map(({ id }) => store.has(id))).toEqual([true, true, false, true]);
    expect(existsSync(store.pathOf(c.id))).toBe(false);
    expect(store.usedBytes).toBe(300);
  });

  test('DISK_FULL when everything is pinned; pins are counted and may come before the bytes', async () => {
    const store = await open(200);
    const [a, b, c] = [block(1), block(2), block(3)];
    store.pin(a.id);
    store.pin(a.id);
    store.pin(b.id);
    for (const it of [a, b]) store.put(it.id, it.bytes);
    store.unpin(a.id);
    const full = expect.objectContaining({ code: 'DISK_FULL', message: expect.stringContaining(store.pathOf(c.id)) });
    expect(() => store.put(c.id, c.bytes)).toThrow(full);
    expect(() => store.receive(chunk(c, 0, 10))).toThrow(full);
    expect(store.has(a.id)).toBe(true);
    store.unpin(a.id);
    store.put(c.id, c.bytes);
    expect(store.has(a.id)).toBe(false);
  });

  test('nothing is thrown out for a block that would not fit anyway', async () => {
    const store = await open(200);
    const small = block(1);
    store.put(small.id, small.bytes);
    const large = block(2, 201);
    expect(() => store.put(large.id, large.bytes)).toThrow(expect.objectContaining({ code: 'DISK_FULL' }));
    expect(store.has(small.id)).toBe(true);
  });

  test('adopts a file that a peer renamed into place, when its length is right', async () => {
    const store = await open();
    const it = block(6);
    expect(store.adopt(it.id, 100)).toBe(false);
    writeFileSync(store.incomingPath('from-a-peer'), it.bytes);
    renameSync(store.incomingPath('from-a-peer'), store.pathOf(it.id));
    expect(store.adopt(it.id, 99)).toBe(false);
    expect(store.adopt(it.id, 100)).toBe(true);
    expect(store.usedBytes).toBe(100);
    expect(store.read(it.id, 0, 100).equals(it.bytes)).toBe(true);
  });

  test('a block whose file is gone is missing', async () => {
    const store = await open();
    const it = block(7);
    const missing = expect.objectContaining({ code: 'BLOCK_MISSING' });
    expect(() => store.read(it.id, 0, 1)).toThrow(missing);
    store.put(it.id, it.bytes);
    rmSync(store.pathOf(it.id));
    expect(() => store.read(it.id, 0, 1)).toThrow(missing);
    expect(store.usedBytes).toBe(0);
    store.put(it.id, it.bytes);
    store.remove(it.id);
    expect(store.has(it.id)).toBe(false);
  });

  test('a restart finds the blocks, drops what was half written, and finds out damage', async () => {
    const directory = directories.make();
    const [good, torn, half] = [block(8), block(9), block(10)];
    const before = await open(1000, directory);
    for (const it of [good, torn]) before.put(it.id, it.bytes);
    before.receive(chunk(half, 0, 50));
    truncateSync(before.pathOf(torn.id), 0);
    const after = await open(1000, directory);
    expect(after.has(good.id)).toBe(true);
    expect(after.has(torn.id)).toBe(false);
    expect(after.usedBytes).toBe(100);
    expect(existsSync(join(directory, 'incoming', `${half.id}.part`))).toBe(false);
    expect(readFileSync(after.pathOf(good.id)).equals(good.bytes)).toBe(true);
  });

  test('a restart with less room keeps the newest blocks', async () => {
    const directory = directories.make();
    const before = await open(1000, directory);
    const blocks = [block(1), block(2), block(3)];
    for (const [age, it] of blocks.entries()) {
      before.put(it.id, it.bytes);
      utimesSync(before.pathOf(it.id), 1000 + age, 1000 + age);
    }
    const after = await open(200, directory);
    expect(blocks.map(({ id }) => after.has(id))).toEqual([false, true, true]);
  });
});

test('files on their way in go when the store is opened, but for those that somebody wants', async () => {
  const directory = directories.make();
  const store = await open(1000, directory);
  for (const name of ['wanted', 'not']) writeFileSync(store.incomingPath(name), name);
  const again = await BlockStore.open({ directory, maxBytes: 1000, keepIncoming: (name) => name === 'wanted' });
  expect(readFileSync(again.incomingPath('wanted'), 'utf8')).toBe('wanted');
  expect(existsSync(again.incomingPath('not'))).toBe(false);
  expect(existsSync((await open(1000, directory)).incomingPath('wanted'))).toBe(false);
});
