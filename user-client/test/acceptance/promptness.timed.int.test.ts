/** How long a person waits at most, on a cluster of one node. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ClusterUnderTest, waitUntil, writeExactMatrix } from '@muster/shared/testkit';
import { connectClient, MemoryMatrix, MemorySink, type ClusterClient } from '../../src/index.ts';

const CANCELLED_MAX_MS = 2000;
const UNREACHABLE_MAX_MS = 5000;

let cluster: ClusterUnderTest;
let observer: ClusterClient;

beforeAll(async () => {
  cluster = await ClusterUnderTest.start({ providers: 1, providerArguments: ['--threads', '1'] });
  observer = await connectClient(cluster.endpoint);
}, 60_000);

afterAll(async () => {
  await observer.close();
  await cluster.end();
}, 20_000);

/** 2 * 3. */
function smallest(): { a: MemoryMatrix; b: MemoryMatrix } {
  const shape = { rows: 1, columns: 1 };
  return { a: new MemoryMatrix(Float32Array.of(2), shape), b: new MemoryMatrix(Float32Array.of(3), shape) };
}

test('cancel frees the node within two seconds', async () => {
  const matrix = { dtype: 'float32', rows: 4096, columns: 4096 } as const;
  const a = writeExactMatrix(cluster.file('a.npy'), { ...matrix, seed: 3 });
  const b = writeExactMatrix(cluster.file('b.npy'), { ...matrix, seed: 4 });
  const client = cluster.client('--task', 'matrix_mult', '--a', a, '--b', b);
  const { taskId } = await waitUntil(
    async () => (await observer.tasks()).find(({ state, acceptedTiles }) => state === 'running' && acceptedTiles > 0),
    { what: 'a task is under way', timeoutMs: 20_000 },
  );
  const startMs = performance.now();
  await observer.cancel(taskId);
  // What proves that the node is free is that it computes something else.
  const sink = new MemorySink({ rows: 1, columns: 1, dtype: 'float32' });
  const handle = await observer.multiply({ ...smallest(), nodes: 1, sink });
  await handle.wait();
  expect(performance.now() - startMs).toBeLessThan(CANCELLED_MAX_MS);
  expect([...sink.elements]).toEqual([6]);
  expect(await client.ended()).toMatchObject({ code: 1, stderr: expect.stringContaining('TASK_CANCELLED') });
  expect(await observer.task(taskId)).toMatchObject({ state: 'cancelled' });
});

describe('a head that is not there is told within five seconds', () => {
  test.each([[['--task', 'matrix_mult', '--size', '64']], [['nodes', 'ls']]])('by %j', async (args) => {
    const startMs = performance.now();
    const outcome = await cluster.run(...args, '--head', '127.0.0.2');
    expect(performance.now() - startMs).toBeLessThan(UNREACHABLE_MAX_MS);
    expect(outcome).toMatchObject({ code: 3, stderr: expect.stringContaining('(HEAD_UNREACHABLE, exit 3)') });
  });
});
