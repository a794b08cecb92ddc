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
  const driver = { state, post, pin: (_: TaskId, block: string) => void pinned.push(block) };
  const taskType = taskTypeNamed('matrix_mult');
  const spec = taskType.parseSpec({ m: 4, k: 4, n: 4, dtype: 'float32', grid: 'auto' });
  const terms = { nodes: 1, waitNodesMs: 1000, timeoutMs: 1000, durability: 'local' } as const;
  post({ ...terms, type: 'submitted', task: TASK, taskType, spec });
  const requests = new ClientRequests({ driver, blocks } as unknown as ClientRequestPorts);
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

test('what a task still expected when it ended is given up, and comes in for nobody', async () => {
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
