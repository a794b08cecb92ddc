import { afterEach, expect, test } from '@jest/globals';
import { blockIdOf, type TaskId } from '@muster/shared';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ResultStore } from '../../src/io/result-store.ts';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

const TASK = '00000000000000aa' as TaskId;
const OTHER = '00000000000000bb' as TaskId;

function incoming(directory: string, content: string): string {
  mkdirSync(join(directory, 'incoming'), { recursive: true });
  const path = join(directory, 'incoming', 'result');
  writeFileSync(path, content);
  return path;
}

test('results are accepted by renaming, read in pieces, replaced, and removed by task', async () => {
  const directory = directories.make();
  const store = await ResultStore.open({ directory });
  const path = incoming(directory, 'hello');
  store.accept(TASK, 3, path);
  expect(existsSync(path)).toBe(false);
  store.accept(TASK, 10, incoming(directory, 'abc'));
  store.accept(OTHER, 3, incoming(directory, 'x'));
  expect(store.usedBytes).toBe(9);
  const { bytes, total } = store.read({ task: TASK, index: 3, offset: 1, length: 100 });
  expect([bytes.toString(), total]).toEqual(['ello', 5]);
  store.accept(TASK, 3, incoming(directory, 'again'.repeat(2)));
  expect(store.usedBytes).toBe(14);
  expect(store.tasks().toSorted()).toEqual([TASK, OTHER]);
  store.giveUp(TASK);
  expect(store.usedBytes).toBe(1);
  expect(existsSync(store.pathOf(TASK, 3))).toBe(true);
  store.remove(TASK);
  expect(store.usedBytes).toBe(1);
  expect(store.tasks()).toEqual([OTHER]);
  expect(existsSync(store.pathOf(TASK, 3))).toBe(false);
});

test('what is not there is missing', async () => {
  const directory = directories.make();
  const store = await ResultStore.open({ directory });
  const missing = expect.objectContaining({ code: 'BLOCK_MISSING' });
  expect(() => store.read({ task: TASK, index: 0, offset: 0, length: 1 })).toThrow(missing);
  expect(() => store.accept(TASK, 0, join(directory, 'incoming', 'none'))).toThrow(missing);
  expect(store.bytesOf(TASK, 0)).toBeUndefined();
  expect(store.usedBytes).toBe(0);
});

test('a restart finds the results', async () => {
  const directory = directories.make();
  (await ResultStore.open({ directory })).accept(TASK, 7, incoming(directory, 'kept'));
  const store = await ResultStore.open({ directory });
  expect(store.tasks()).toEqual([TASK]);
  expect(store.usedBytes).toBe(4);
  expect(store.bytesOf(TASK, 7)).toBe(4);
  expect(store.read({ task: TASK, index: 7, offset: 0, length: 4 }).bytes.toString()).toBe('kept');
});

test('after a restart a result is what the journal says, or it is thrown away', async () => {
  const directory = directories.make();
  const first = await ResultStore.open({ directory });
  for (const index of [0, 1]) first.accept(TASK, index, incoming(directory, 'right'));
  const expected = { task: TASK, bytes: 5, digest: blockIdOf(Buffer.from('right')) };
  writeFileSync(first.pathOf(TASK, 1), Buffer.alloc(5));
  const store = await ResultStore.open({ directory });
  expect([0, 1, 2].map((index) => store.holds({ ...expected, index }))).toEqual([true, false, false]);
  expect(existsSync(store.pathOf(TASK, 1))).toBe(false);
  expect(store.usedBytes).toBe(5);
});
