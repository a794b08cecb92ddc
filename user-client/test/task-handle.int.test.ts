import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { MusterError } from '@muster/shared';
import { maxAbsError, waitUntil } from '@muster/shared/testkit';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { NpyResultFile } from '../src/results/npy-result-file.ts';
import { product, Stage, terms } from './support/stage.ts';

let stage: Stage;
beforeEach(() => {
  stage = new Stage();
});
afterEach(() => stage.clear());

describe('how a task ends', () => {
  test('failed: with the error of the head', async () => {
    const head = await stage.startHead();
    head.held = true;
    const client = await stage.connect(head);
    const handle = await client.multiply({ ...product([8, 8, 8]), ...terms });
    await handle.uploaded;
    head.end(handle.taskId, {
      state: 'failed',
      error: { code: 'NOT_ENOUGH_NODES', what: 'too few', why: '', fix: '' },
    });
    await expect(handle.wait()).rejects.toMatchObject({ code: 'NOT_ENOUGH_NODES', exit: 5 });
  });

  test('cancelled', async () => {
    const head = await stage.startHead();
    head.held = true;
    const client = await stage.connect(head);
    const handle = await client.echo({ count: 5, ...terms });
    await handle.cancel();
    await expect(handle.wait()).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
    expect(head.memory.tasks.get(handle.taskId)?.status.state).toBe('cancelled');
  });

  test('late: TIMEOUT, and cancelled on the head even when the client closes at once', async () => {
    const head = await stage.startHead();
    head.held = true;
    const client = await stage.connect(head);
    const handle = await client.echo({ count: 5, nodes: 1, timeoutMs: 50 });
    await expect(handle.wait()).rejects.toMatchObject({ code: 'TIMEOUT', exit: 6 });
    await client.close();
    expect(head.memory.tasks.get(handle.taskId)?.status.state).toBe('cancelled');
  });

  test('a head that never accepts: TIMEOUT', async () => {
    const head = await stage.startHead();
    head.dropped = (message) => message.type === 'submit';
    const client = await stage.connect(head);
    await expect(client.echo({ count: 5, nodes: 1, timeoutMs: 50 })).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  test('a submission that the head refuses', async () => {
    const head = await stage.startHead();
    head.instead = (message) =>
      message.type === 'submit'
        ? {
            type: 'error',
            fields: { request: message.request, error: { code: 'TOO_LARGE', what: 'no', why: '', fix: '' } },
          }
        : null;
    const client = await stage.connect(head);
    await expect(client.multiply({ ...product([8, 8, 8]), ...terms })).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });

  test('aborted: with the reason of the signal, and cancelled on the head', async () => {
    const head = await stage.startHead();
    head.held = true;
    const client = await stage.connect(head);
    const controller = new AbortController();
    const handle = await client.echo({ count: 5, ...terms, signal: controller.signal });
    controller.abort(new MusterError('INTERRUPTED', 'stop'));
    await expect(handle.wait()).rejects.toMatchObject({ code: 'INTERRUPTED' });
    await client.close();
    expect(head.memory.tasks.get(handle.taskId)?.status.state).toBe('cancelled');
  });

  test('cancelled: with that, and nothing of the result stays', async () => {
    const head = await stage.startHead();
    head.held = true;
    const client = await stage.connect(head);
    const sink = new NpyResultFile(join(stage.directory, 'C.npy'), { rows: 8, columns: 8, dtype: 'float32' });
    const handle = await client.multiply({ ...product([8, 8, 8]), sink, ...terms });
    await handle.cancel();
    await expect(handle.wait()).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
    expect(readdirSync(stage.directory)).toEqual([]);
  });

  test('the client closes: INTERRUPTED, and the task goes on', async () => {
    const head = await stage.startHead();
    head.held = true;
    const client = await stage.connect(head);
    const handle = await client.echo({ count: 5, ...terms });
    await client.close();
    await expect(handle.wait()).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(head.count('cancel')).toBe(0);
  });

  test('a tile that does not fit the result: PROTOCOL', async () => {
    const head = await stage.startHead();
    head.held = true;
    const client = await stage.connect(head);
    const handle = await client.multiply({ ...product([8, 8, 8]), ...terms });
    await handle.uploaded;
    const tiles = [{ index: 0, node: head.node as never, bytes: 400, path: '', region: [0, 10, 0, 10] }];
    head.push({ type: 'tiles', fields: { task: handle.taskId, tiles } });
    await expect(handle.wait()).rejects.toMatchObject({ code: 'PROTOCOL' });
  });
});

test('a task that is done before the head has confirmed its last block is uploaded', async () => {
  const head = await stage.startHead();
  head.dropped = ({ type }) => type === 'sync';
  const client = await stage.connect(head);
  const handle = await client.multiply({ ...product([8, 8, 8]), ...terms });
  const { uploaded } = handle;
  await expect(handle.wait()).resolves.toMatchObject({ state: 'done' });
  await expect(uploaded).resolves.toBeUndefined();
}, 15_000);

describe('a head that was away', () => {
  test('restarted before it accepted: the same task is submitted again', async () => {
    const head = await stage.startHead();
    head.dropped = (message) => message.type === 'submit';
    const client = await stage.connect(head);
    const { sink, expected, ...operands } = product([100, 100, 100]);
    const multiplying = client.multiply({ ...operands, sink, ...terms });
    await waitUntil(() => head.count('submit') === 1, { what: 'the submission' });
    head.close();
    const next = await stage.startHead({ port: head.port, epoch: 2 });
    const handle = await multiplying;
    await handle.wait();
    expect(maxAbsError(sink.elements, expected)).toBe(0);
    const ids = [...head.seen, ...next.seen].filter((message) => message.type === 'submit').map(({ task }) => task);
    expect(new Set(ids)).toEqual(new Set([handle.taskId]));
  });

  test('restarted in mid-upload: what it forgot is sent again', async () => {
    const head = await stage.startHead();
    head.dropped = (message) => message.type === 'put' && head.count('put') > 3;
    const client = await stage.connect(head);
    const { sink, expected, ...operands } = product([300, 8192, 80], 'float64');
    const handle = await client.multiply({ ...operands, sink, ...terms });
    await waitUntil(() => head.count('put') > 3, { what: 'the upload' });
    head.close();
    await stage.startHead({ port: head.port, epoch: 2, memory: head.memory });
    await handle.wait();
    expect(maxAbsError(sink.elements, expected)).toBe(0);
  }, 30_000);

  test('restarted while it worked, without the blocks: watches and binds again', async () => {
    const head = await stage.startHead();
    head.held = true;
    const client = await stage.connect(head);
    const { sink, expected, ...operands } = product([100, 100, 100]);
    const handle = await client.multiply({ ...operands, sink, ...terms });
    await handle.uploaded;
    head.close();
    head.memory.blocks.clear();
    head.memory.tasks.get(handle.taskId)?.bound.clear();
    await stage.startHead({ port: head.port, epoch: 2, memory: head.memory });
    await handle.wait();
    expect(maxAbsError(sink.elements, expected)).toBe(0);
  });

  test('a task that it no longer knows: TASK_UNKNOWN', async () => {
    const head = await stage.startHead();
    head.held = true;
    const client = await stage.connect(head);
    const handle = await client.echo({ count: 5, ...terms });
    head.close();
    await stage.startHead({ port: head.port, epoch: 2 });
    await expect(handle.wait()).rejects.toMatchObject({ code: 'TASK_UNKNOWN' });
  });

  test('one answer lost on a good connection: asked again', async () => {
    const head = await stage.startHead();
    head.dropped = (message) => message.type === 'bind' && head.count('bind') === 1;
    const client = await stage.connect(head);
    await (await client.multiply({ ...product([8, 8, 8]), ...terms })).wait();
    expect(head.count('bind')).toBe(3);
  }, 15_000);

  test('the greeting that would have found that out lost as well: asked again', async () => {
    const head = await stage.startHead();
    head.dropped = ({ type }) =>
      (type === 'bind' && head.count('bind') === 1) || (type === 'greet' && head.count('greet') === 2);
    const client = await stage.connect(head);
    await (await client.multiply({ ...product([8, 8, 8]), ...terms })).wait();
    expect(head.count('bind')).toBe(3);
  }, 20_000);

  test('slow to accept: not asked about the task before it has', async () => {
    const head = await stage.startHead();
    head.dropped = (message) => message.type === 'submit' && head.count('submit') < 3;
    const client = await stage.connect(head);
    const handle = await client.multiply({ ...product([8, 8, 8]), ...terms });
    await expect(handle.wait()).resolves.toMatchObject({ state: 'done' });
    expect(head.seen.findIndex(({ type }) => type === 'watch')).toBeGreaterThan(
      head.seen.findLastIndex(({ type }) => type === 'submit'),
    );
  }, 20_000);

  test('its last push lost: asked again', async () => {
    const head = await stage.startHead();
    head.held = true;
    const client = await stage.connect(head);
    const handle = await client.echo({ count: 5, ...terms });
    const states: string[] = [];
    handle.onProgress(({ state }) => states.push(state));
    await waitUntil(() => states.length > 0, { what: 'the first progress' });
    const task = head.memory.tasks.get(handle.taskId)!;
    task.status = { ...task.status, state: 'done' };
    await expect(handle.wait()).resolves.toMatchObject({ state: 'done' });
  }, 15_000);
});

describe('questions', () => {
  test('tasks, task, nodes and cancel', async () => {
    const head = await stage.startHead();
    head.held = true;
    const client = await stage.connect(head);
    const { taskId } = await client.echo({ count: 7, bytes: 16, ...terms });
    expect(await client.tasks()).toMatchObject([{ taskId, task: 'echo', shape: [7] }]);
    expect(await client.task(taskId)).toMatchObject({ taskId, state: 'waiting' });
    expect(await client.nodes()).toEqual([]);
    await client.cancel(taskId);
    expect(await client.task(taskId)).toMatchObject({ state: 'cancelled' });
    await expect(client.task('0123456789abcdef')).rejects.toMatchObject({ code: 'TASK_UNKNOWN' });
    await expect(client.task('nonsense')).rejects.toMatchObject({ code: 'TASK_UNKNOWN' });
  });

  test('progress reaches every listener, and a late one at once', async () => {
    const head = await stage.startHead();
    head.held = true;
    const client = await stage.connect(head);
    const handle = await client.echo({ count: 7, ...terms });
    const states: string[] = [];
    const stop = handle.onProgress(({ state }) => states.push(state));
    await waitUntil(() => states.length > 0, { what: 'the first progress' });
    stop();
    head.release();
    await handle.wait();
    handle.onProgress(({ state }) => states.push(state));
    expect(states).toEqual(['waiting', 'done']);
  });
});
