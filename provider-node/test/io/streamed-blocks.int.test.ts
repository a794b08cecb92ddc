import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { blockIdOf } from '@muster/shared';
import { TemporaryDirectories, waitUntil } from '@muster/shared/testkit';
import { CHUNK, LinkRig, stopRigs, TASK } from './link-rig.ts';

const directories = new TemporaryDirectories();
const never = new AbortController().signal;
const large = randomBytes(2.5 * CHUNK);
const small = randomBytes(100);

let rig: LinkRig;
beforeEach(async () => {
  rig = await LinkRig.start(directories.make());
  rig.head.openTask(TASK);
});
afterEach(async () => {
  await stopRigs();
  directories.removeAll();
});

test('operands come out of the stream, whether they were there before or come later', async () => {
  const ids = [await rig.operand(large), blockIdOf(small)];
  const fetched = rig.link.fetch(TASK, ids, never);
  await waitUntil(() => rig.blocks.has(blockIdOf(large)), { what: 'the first' });
  await rig.operand(small);
  await fetched;
  expect([large, small].map((bytes) => bytes.equals(readFileSync(rig.blocks.pathOf(blockIdOf(bytes)))))).toEqual([
    true,
    true,
  ]);
  await rig.link.fetch(TASK, ids, never);
});

test('who gives up does so alone', async () => {
  const giving = new AbortController();
  const first = rig.link.fetch(TASK, [blockIdOf(small), blockIdOf(large)], giving.signal);
  const second = rig.link.fetch(TASK, [blockIdOf(small)], never);
  giving.abort();
  await expect(first).rejects.toMatchObject({ code: 'BLOCK_MISSING', why: '2 blocks are missing' });
  await rig.operand(small);
  await second;
});

test('bytes that are not those of the block are not taken, and the right ones behind them are', async () => {
  const id = blockIdOf(small);
  const fetched = rig.link.fetch(TASK, [id], never);
  await rig.operand(randomBytes(100), { id });
  await rig.operand(small);
  await fetched;
  expect(small.equals(readFileSync(rig.blocks.pathOf(id)))).toBe(true);
});

test('a connection that is lost on the way costs nothing', async () => {
  const fetched = rig.link.fetch(TASK, [blockIdOf(large)], never);
  await rig.operand(large, { upTo: CHUNK });
  rig.cut();
  await rig.operand(large);
  await fetched;
  expect(large.equals(readFileSync(rig.blocks.pathOf(blockIdOf(large))))).toBe(true);
});
