import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bytesOf, limits, MusterError, zeros, type OperandDtype } from '@muster/shared';
import { maxAbsError, waitUntil } from '@muster/shared/testkit';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectClient, MemoryMatrix, NpyResultFile } from '../src/index.ts';
import type { FakeHead } from './support/fake-head.ts';
import { product, Stage, terms } from './support/stage.ts';

let stage: Stage;
beforeEach(() => {
  stage = new Stage();
});
afterEach(() => stage.clear());

describe('connectClient', () => {
  test('throws HEAD_UNREACHABLE with the address and the fix', async () => {
    const head = await stage.startHead();
    head.close();
    const connecting = connectClient({ ...head.endpoint, connectTimeoutMs: 200 });
    await expect(connecting).rejects.toMatchObject({
      code: 'HEAD_UNREACHABLE',
      exit: 3,
      why: expect.stringContaining(`tcp://127.0.0.1:${head.port}`),
      fix: expect.stringContaining(`head-node --port-base ${head.port - 4}`),
    });
  });

  test('throws what the head says about the version', async () => {
    const head = await stage.startHead();
    head.instead = (message) =>
      message.type === 'greet'
        ? {
            type: 'error',
            fields: { request: message.request, error: { code: 'VERSION_MISMATCH', what: 'other', why: '', fix: '' } },
          }
        : null;
    await expect(connectClient(head.endpoint)).rejects.toMatchObject({ code: 'VERSION_MISMATCH' });
  });

  test('throws USAGE for an address that cannot be one', async () => {
    await expect(connectClient({ host: 'no host', portBase: 5555 })).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('gives up when its signal aborts', async () => {
    const head = await stage.startHead();
    head.dropped = () => true;
    const controller = new AbortController();
    const connecting = connectClient({ ...head.endpoint, signal: controller.signal });
    controller.abort(new MusterError('INTERRUPTED', 'stop'));
    await expect(connecting).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });
});

describe.each(['wire', 'shared'] as const)('multiply over %s', (way) => {
  const start = (): Promise<FakeHead> => (way === 'wire' ? stage.startHead() : stage.startSharingHead());

  test.each([
    [[600, 100, 570], 'float32'],
    [[300, 90, 560], 'float64'],
    [[65, 300, 70], 'int8'],
    [[1, 1, 1], 'float32'],
  ] as const)('%j of %s', async (shape, dtype) => {
    const head = await start();
    const client = await stage.connect(head);
    const { sink, expected, ...operands } = product(shape, dtype);
    const handle = await client.multiply({ ...operands, sink, ...terms });
    const status = await handle.wait();
    expect(client.sharesStore).toBe(way === 'shared');
    expect(status.state).toBe('done');
    expect(maxAbsError(sink.elements, expected)).toBe(0);
    expect(head.count('fetchResult') > 0).toBe(way === 'wire');
    expect(head.count('put') > 0).toBe(way === 'wire');
  });

  test('a block that the head has is not sent again', async () => {
    const head = await start();
    const client = await stage.connect(head);
    const { sink, expected, ...operands } = product([100, 80, 90]);
    await (await client.multiply({ ...operands, ...terms })).wait();
    const puts = head.count('put');
    await (await client.multiply({ ...operands, sink, ...terms })).wait();
    expect(head.count('put')).toBe(puts);
    expect(maxAbsError(sink.elements, expected)).toBe(0);
  });

  test('a matrix that was put before is only named', async () => {
    const head = await start();
    const client = await stage.connect(head);
    const { a, b, sink, expected } = product([100, 80, 90]);
    const refs = { a: await client.putMatrix(a, 'a'), b: await client.putMatrix(b, 'b') };
    const puts = head.count('put');
    await (await client.multiply({ ...refs, sink, ...terms })).wait();
    expect(head.count('put')).toBe(puts);
    expect(maxAbsError(sink.elements, expected)).toBe(0);
  });
});

test('chunks are 1 MiB at most and at most 8 are under way in each direction', async () => {
  const head = await stage.startHead();
  const client = await stage.connect(head);
  const [m, k, n] = [512, 2048, 512];
  const { a, b, sink, expected } = product([m, k, n], 'float64');
  // A block is 64 x 2048 float64 (1 MiB) and the result 2 MiB; held back, answers show how many questions are under way.
  let open = 0;
  let mostOpen = 0;
  head.dropped = (message) => {
    if (message.type !== 'put' && message.type !== 'fetchResult') return false;
    open += 1;
    mostOpen = Math.max(mostOpen, open);
    setImmediate(() => (open -= 1));
    return false;
  };
  await (await client.multiply({ a, b, sink, ...terms })).wait();
  expect(maxAbsError(sink.elements, expected)).toBe(0);
  expect(mostOpen).toBeLessThanOrEqual(limits.fetchWindow.value);
  const puts = head.seen.filter((message) => message.type === 'put');
  expect(
    Math.max(...puts.map(({ total, offset }) => Math.min(total - offset, limits.chunkBytesMax.value))),
  ).toBeLessThanOrEqual(2 ** 20);
}, 30_000);

test('a block of several chunks arrives whole', async () => {
  const head = await stage.startHead();
  const client = await stage.connect(head);
  const [m, k, n] = [512, 8192, 1];
  const { a, b, sink, expected } = product([m, k, n], 'float64');
  await (await client.multiply({ a, b, sink, ...terms })).wait();
  expect(head.seen.some((message) => message.type === 'put' && message.offset > 0)).toBe(true);
  expect(maxAbsError(sink.elements, expected)).toBe(0);
}, 30_000);

describe('a reference whose blocks are gone', () => {
  test('fails with BLOCK_MISSING and the task is cancelled', async () => {
    const head = await stage.startHead();
    const client = await stage.connect(head);
    const { a, b } = product([64, 64, 64]);
    const ref = await client.putMatrix(b, 'b');
    head.memory.blocks.clear();
    const handle = await client.multiply({ a, b: ref, ...terms });
    await expect(handle.wait()).rejects.toMatchObject({ code: 'BLOCK_MISSING' });
    await waitUntil(() => head.count('cancel') === 1, { what: 'the cancel' });
  });
});

describe('the shared store', () => {
  test('blocks lie under their ids and nothing is left in incoming', async () => {
    const head = await stage.startSharingHead();
    const client = await stage.connect(head);
    await (await client.multiply({ ...product([64, 64, 64]), ...terms })).wait();
    expect(readdirSync(join(stage.directory, 'incoming'))).toEqual([]);
    expect(
      head.seen
        .filter((message) => message.type === 'bind')
        .every(({ path }) => path.startsWith(join(stage.directory, 'blocks'))),
    ).toBe(true);
  });

  test('a head that cannot read them gets the bytes over the socket', async () => {
    const head = await stage.startSharingHead();
    const client = await stage.connect(head);
    head.instead = (message) =>
      message.type === 'bind' && !head.memory.blocks.has(message.id) && message.path !== ''
        ? { type: 'bound', fields: { request: message.request, wanted: true } }
        : null;
    const { a, b } = product([64, 64, 64]);
    const handle = await client.multiply({ a, b, ...terms });
    await handle.uploaded;
    expect(head.memory.blocks.size).toBe(2);
    expect(head.count('put')).toBe(2);
  });

  test("'wire' does not use it", async () => {
    const head = await stage.startSharingHead();
    const client = await stage.connect(head, { blocks: 'wire' });
    const { sink, expected, ...operands } = product([64, 64, 64]);
    await (await client.multiply({ ...operands, sink, ...terms })).wait();
    expect(client.sharesStore).toBe(false);
    expect(head.count('put')).toBe(2);
    expect(maxAbsError(sink.elements, expected)).toBe(0);
  });

  test('a tile whose file is gone comes over the socket', async () => {
    const head = await stage.startSharingHead();
    const client = await stage.connect(head);
    const { sink, expected, a, b } = product([64, 64, 64]);
    const handle = await client.multiply({ a, b, ...terms });
    const { taskId } = await handle.wait();
    rmSync(join(stage.directory, 'results'), { recursive: true });
    await (await client.attach(taskId, sink)).wait();
    expect(maxAbsError(sink.elements, expected)).toBe(0);
  });
});

describe('what is refused before the head hears of it', () => {
  test.each([
    [{ a: [4, 5], b: [6, 4] }, 'SHAPE_MISMATCH'],
    [{ a: [4, 5], b: [5, 4], typeB: 'float64' }, 'BAD_DATA'],
    [{ a: [4, 5], b: [5, 4], grid: '0x3' }, 'USAGE'],
  ] as const)('%j', async (request, code) => {
    const head = await stage.startHead();
    const client = await stage.connect(head);
    const of = ([rows, columns]: readonly [number, number], dtype: OperandDtype): MemoryMatrix =>
      new MemoryMatrix(zeros(dtype, rows * columns), { rows, columns });
    const b = of(request.b, 'typeB' in request ? request.typeB : 'float32');
    const grid = 'grid' in request ? request.grid : 'auto';
    await expect(client.multiply({ a: of(request.a, 'float32'), b, grid, ...terms })).rejects.toMatchObject({ code });
    expect(head.count('submit')).toBe(0);
  });
});

test('a result goes to a file that appears when it is whole', async () => {
  const head = await stage.startHead();
  head.held = true;
  const client = await stage.connect(head);
  const { a, b, expected } = product([100, 30, 90]);
  const path = join(stage.directory, 'C.npy');
  const handle = await client.multiply({
    a,
    b,
    sink: new NpyResultFile(path, { rows: 100, columns: 90, dtype: 'float32' }),
    ...terms,
  });
  await handle.uploaded;
  expect(readdirSync(stage.directory)).toEqual([expect.stringMatching(/^\.C\.npy\.\d+\.part$/)]);
  head.release();
  await handle.wait();
  expect(readdirSync(stage.directory)).toEqual(['C.npy']);
  expect(Buffer.compare(readFileSync(path).subarray(128), bytesOf(expected))).toBe(0);
});
