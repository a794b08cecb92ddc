/** What people do with tasks besides waiting for them: leave them, come back, stop them, start too early. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { NodeStatus, TaskBrief, TaskStatus } from '@muster/shared';
import { ClusterUnderTest, waitUntil, writeExactMatrix, wrongRows } from '@muster/shared/testkit';
import { connectClient, type ClusterClient } from '../../src/index.ts';

const SIZE = 600;

let cluster: ClusterUnderTest;
let observer: ClusterClient;
let files: { a: string; b: string };

async function start(providers: number): Promise<void> {
  cluster = await ClusterUnderTest.start({ providers, providerArguments: ['--threads', '1'] });
  observer = await connectClient(cluster.endpoint);
  const matrix = { dtype: 'float32', rows: SIZE, columns: SIZE } as const;
  files = {
    a: writeExactMatrix(cluster.file('a.npy'), { ...matrix, seed: 1 }),
    b: writeExactMatrix(cluster.file('b.npy'), { ...matrix, seed: 2 }),
  };
}

async function end(): Promise<void> {
  await observer.close();
  await cluster.end();
}

const product = (): string[] => ['--task', 'matrix_mult', '--a', files.a, '--b', files.b];
/** Busy for a minute, and cheap to give: no operands. */
const long = ['--task', 'echo', '--count', '10000000', '--batch', '1', '--window', '1'];

const running = (): Promise<TaskBrief> =>
  waitUntil(
    async () => (await observer.tasks()).find(({ state, acceptedTiles }) => state === 'running' && acceptedTiles > 0),
    { what: 'a task is under way' },
  );

const settled = (taskId: string): Promise<TaskStatus> =>
  waitUntil(async () => [await observer.task(taskId)].find(({ state }) => state !== 'running' && state !== 'waiting'), {
    what: `task ${taskId} is over`,
  });

const idle = (): Promise<boolean> =>
  waitUntil(
    async () =>
      (await observer.nodes()).every(({ state, running: held }: NodeStatus) => state === 'ready' && held === 0),
    { what: 'all nodes are idle' },
  );

describe('on two nodes', () => {
  beforeAll(() => start(2), 60_000);
  afterAll(end, 20_000);
  afterEach(idle);

  describe('a task outlives the command that started it', () => {
    test('--detach prints the id; watch waits; result fetches, as often as one likes', async () => {
      const detached = await cluster.run(...product(), '--detach', '--nodes', '2');
      expect(detached).toMatchObject({ code: 0, stdout: expect.stringMatching(/^[0-9a-f]{16}\n$/) });
      const id = detached.stdout.trim();
      expect(await cluster.run('tasks', 'watch', id)).toMatchObject({ code: 0 });
      for (const name of ['c1.npy', 'c2.npy']) {
        const c = cluster.file(name);
        expect(await cluster.run('tasks', 'result', id, '--out', c)).toMatchObject({ code: 0, stdout: `${c}\n` });
        expect(wrongRows({ ...files, c })).toEqual([]);
      }
      expect(readFileSync(cluster.file('c1.npy')).equals(readFileSync(cluster.file('c2.npy')))).toBe(true);
    }, 20_000);

    test('a task that is not done has no result yet', async () => {
      const { stdout } = await cluster.run(...long, '--detach', '--json');
      const { taskId } = JSON.parse(stdout) as { taskId: string };
      const result = await cluster.run('tasks', 'result', taskId, '--out', cluster.file('none.npy'));
      expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('TASK_NOT_DONE') });
      expect(await cluster.run('tasks', 'cancel', taskId, '--json')).toMatchObject({
        code: 0,
        stdout: `${JSON.stringify({ taskId, state: 'cancelled' })}\n`,
      });
    }, 20_000);
  });

  describe('a task is stopped', () => {
    test('Ctrl-C ends the command with 130 and the task with it', async () => {
      const client = cluster.client(...long);
      const { taskId } = await running();
      client.process.kill('SIGINT');
      expect(await client.ended()).toMatchObject({
        code: 130,
        stdout: '',
        stderr: expect.stringContaining('INTERRUPTED'),
      });
      expect(await settled(taskId)).toMatchObject({ state: 'cancelled' });
    }, 20_000);

    test('--timeout ends the command with 6 and the task with it', async () => {
      const outcome = await cluster.run(...long, '--timeout', '700ms');
      expect(outcome).toMatchObject({ code: 6, stderr: expect.stringContaining('(TIMEOUT, exit 6)') });
      const [task] = await observer.tasks();
      expect(task).toMatchObject({ state: 'failed' });
    }, 20_000);
  });
});

describe('a task is there before its nodes', () => {
  beforeAll(() => start(0), 60_000);
  afterAll(end, 20_000);

  test('it waits, says so, and runs when a node joins', async () => {
    const c = cluster.file('late.npy');
    const client = cluster.client(...product(), '--out', c, '--nodes', '1', '--wait-nodes', '30s');
    await client.said('waiting for nodes: 0 of 1 ready');
    await cluster.cluster.addProvider('node-1');
    expect(await client.ended()).toMatchObject({ code: 0 });
    expect(wrongRows({ ...files, c })).toEqual([]);
  }, 40_000);

  test('a provider that was there before the head joins when the head is up', async () => {
    await cluster.cluster.head.stop();
    const provider = cluster.cluster.launch('provider-node', ['--name', 'early', '--state', cluster.file('early')]);
    cluster.cluster.providers.push(provider);
    await provider.said('measured float32');
    await cluster.cluster.restartHead();
    await provider.said('joined ');
    await waitUntil(async () => (await observer.nodes()).filter(({ state }) => state === 'ready').length === 2, {
      what: 'both nodes are back',
    });
    const c = cluster.file('early.npy');
    expect(await cluster.run(...product(), '--out', c, '--nodes', '2')).toMatchObject({ code: 0 });
    expect(wrongRows({ ...files, c })).toEqual([]);
  }, 40_000);

  test('a provider that is told to leave while it joins leaves', async () => {
    const { head, providers } = cluster.cluster;
    const provider = cluster.cluster.launch('provider-node', ['--name', 'fickle', '--state', cluster.file('fickle')]);
    providers.push(provider);
    head.process.kill('SIGSTOP');
    await provider.said('measured float32');
    provider.process.kill('SIGTERM');
    head.process.kill('SIGCONT');
    expect(await provider.ended()).toMatchObject({ code: 0 });
  }, 20_000);
});
