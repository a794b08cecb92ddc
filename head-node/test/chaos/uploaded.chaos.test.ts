/** A client leaves when its operands are uploaded, and the head is killed at that moment: the task needs neither of them. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ClusterUnderTest, waitUntil } from '@muster/shared/testkit';
import { connectClient, RandomMatrix } from '@muster/user-client';

const TASKS = 4;

let cluster: ClusterUnderTest;

beforeAll(async () => {
  cluster = await ClusterUnderTest.start({ providers: 0 });
}, 60_000);

afterAll(() => cluster.end(), 30_000);

const matrix = (seed: number): RandomMatrix => new RandomMatrix(seed, { rows: 300, columns: 300, dtype: 'float32' });

async function leaveTask(seed: number): Promise<string> {
  const client = await connectClient(cluster.endpoint);
  const handle = await client.multiply({ a: matrix(seed), b: matrix(-1 - seed), nodes: 1, waitNodesMs: 60_000 });
  await handle.uploaded;
  cluster.cluster.head.process.kill('SIGKILL');
  await client.close();
  await cluster.cluster.head.ended();
  await cluster.cluster.restartHead();
  return handle.taskId;
}

test('every task is done when a node comes', async () => {
  const tasks: string[] = [];
  while (tasks.length < TASKS) tasks.push(await leaveTask(tasks.length));
  await cluster.cluster.addProvider('late', ['--threads', '1']);
  const observer = await connectClient(cluster.endpoint);
  try {
    const states = async (): Promise<string[]> =>
      Promise.all(tasks.map(async (task) => (await observer.task(task)).state));
    await waitUntil(async () => (await states()).every((state) => state === 'done'), {
      what: 'all tasks to be done',
      timeoutMs: 20_000,
    });
    expect(await states()).toEqual(tasks.map(() => 'done'));
  } finally {
    await observer.close();
  }
}, 60_000);
