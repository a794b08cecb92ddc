import { afterEach, expect, test } from '@jest/globals';
import { blockIdOf, taskTypeNamed, type Fields, type TaskId } from '@muster/shared';
import { BlockStore } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { newClusterState } from '../../src/core/cluster-state.ts';
import type { HeadEvent } from '../../src/core/events.ts';
import { handle } from '../../src/core/handle.ts';
import { defaultPolicy } from '../../src/core/policy.ts';
import { ClientRequests, type ClientRequestPorts } from '../../src/io/client-requests.ts';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

const TASK = '0123456789abcdef' as TaskId;
const bytes = Buffer.alloc(4 * 4 * 4, 1);
const id = blockIdOf(bytes);
const bind: Fields<'bind'> = { request: 1, task: TASK, operand: 'a', block: 0, id, bytes: bytes.length, path: '' };

/** Requests on a core with one product of 4 x 4, and what was pinned. */
async function desk() {
  const state = newClusterState(defaultPolicy, 1, 0);
  const post = (event: HeadEvent): void => void handle(state, event, { nowMs: 0, random: 0 });
  const pinned: string[] = [];
  const blocks = await BlockStore.open({ directory: directories.make(), maxBytes: 1000 });
  const core = { state, post, pin: (_: TaskId, block: string) => void pinned.push(block) };
  const taskType = taskTypeNamed('matrix_mult');
  const spec = taskType.parseSpec({ m: 4, k: 4, n: 4, dtype: 'float32', grid: 'auto' });
  const terms = { nodes: 1, waitNodesMs: 1000, timeoutMs: 1000, durability: 'local' } as const;
  post({ ...terms, type: 'submitted', task: TASK, taskType, spec, user: null });
  const requests = new ClientRequests({ core, blocks } as unknown as ClientRequestPorts);
  return { requests, blocks, pinned, post };
}

const put = (requests: ClientRequests, from: number, to: number): boolean =>
  requests.put({ request: 2, block: id, offset: from, total: bytes.length }, bytes.subarray(from, to));

test('a block that comes in is pinned for the task that waits for it', async () => {
  const { requests, pinned } = await desk();
  expect(requests.bind(bind)).toBe(true);
  expect(put(requests, 0, bytes.length)).toBe(true);
  expect(pinned).toEqual([id]);
});

const bindOther = (given: Partial<Fields<'bind'>>): Fields<'bind'> => ({ ...bind, ...given });

test('a block that comes before its task is kept, for whoever needs it then', async () => {
  const { requests, blocks, pinned } = await desk();
  expect(put(requests, 0, 10)).toBe(false);
  expect(put(requests, 10, bytes.length)).toBe(true);
  expect([blocks.has(id), pinned]).toEqual([true, []]);
  expect(requests.bind(bind)).toBe(false);
  expect(pinned).toEqual([id]);
});

test('a block that was begun before its task is waited for by it', async () => {
  const { requests, pinned } = await desk();
  put(requests, 0, 10);
  expect(requests.bind(bind)).toBe(true);
  expect(put(requests, 10, bytes.length)).toBe(true);
  expect(pinned).toEqual([id]);
});

test('a place of a task takes one block: the latest that was announced, and none after the first that came', async () => {
  const { requests, blocks, pinned } = await desk();
  const other = Buffer.alloc(64, 2);
  const bindSecond = bindOther({ id: blockIdOf(other) });
  requests.bind(bindSecond);
  requests.put({ request: 2, block: bindSecond.id, offset: 0, total: 64 }, other.subarray(0, 32));
  expect(requests.bind(bind)).toBe(true);
  expect(blocks.usedBytes).toBe(0);
  expect(put(requests, 0, bytes.length)).toBe(true);
  expect([requests.bind(bindSecond), requests.bind(bind)]).toEqual([false, false]);
  expect([pinned, blocks.usedBytes]).toEqual([[id], 64]);
});

test('a block of a place that the task does not have is refused, and one of another size', async () => {
  const { requests } = await desk();
  for (const wrong of [{ operand: 'c' }, { operand: 'constructor' }, { block: 1 }, { bytes: 0 }, { bytes: 65 }])
    expect(() => requests.bind(bindOther(wrong))).toThrow(expect.objectContaining({ code: 'BAD_DATA' }));
  requests.bind(bind);
  expect(() => requests.put({ request: 2, block: id, offset: 0, total: 2 ** 40 }, bytes)).toThrow(
    expect.objectContaining({ code: 'BAD_DATA' }),
  );
});

test('a block that was lost is wanted again', async () => {
  const { requests, blocks, pinned } = await desk();
  requests.bind(bind);
  put(requests, 0, bytes.length);
  blocks.remove(id);
  expect(requests.bind(bind)).toBe(true);
  expect(put(requests, 0, bytes.length)).toBe(true);
  expect([blocks.has(id), pinned]).toEqual([true, [id, id]]);
});

test('what a task still expected when it ended is given up, and is not for it any more', async () => {
  const { requests, blocks, pinned, post } = await desk();
  requests.bind(bind);
  put(requests, 0, 10);
  expect(blocks.usedBytes).toBe(bytes.length);
  post({ type: 'cancelled', task: TASK });
  requests.ended();
  expect(blocks.usedBytes).toBe(0);
  expect(put(requests, 0, bytes.length)).toBe(true);
  expect(requests.bind(bind)).toBe(false);
  expect(pinned).toEqual([]);
});
