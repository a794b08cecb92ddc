import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bytesOf, exportModel, initialWeights, npyArrayHeader, parseModel } from '@muster/shared';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryRows, NpyRowFile, NpyRowSink } from '../src/index.ts';
import type { FakeHead } from './support/fake-head.ts';
import { Stage, terms } from './support/stage.ts';

let stage: Stage;
beforeEach(() => {
  stage = new Stage();
});
afterEach(() => stage.clear());

/** Takes and gives rows of four numbers. */
const description = parseModel({
  name: 'four',
  input: [4],
  layers: [{ type: 'dense', units: 4 }],
  loss: 'meanSquaredError',
});
const model = exportModel(description, initialWeights(description, 1));
const numbers = Float32Array.from({ length: 4000 }, (_, at) => at / 7);

function writeRows(descr: string, shape: readonly number[], bytes: Uint8Array = bytesOf(numbers)): string {
  const path = join(stage.directory, 'X.npy');
  writeFileSync(path, Buffer.concat([npyArrayHeader(descr, shape), bytes]));
  return path;
}

describe.each(['wire', 'shared'] as const)('an inference over %s', (way) => {
  const start = (): Promise<FakeHead> => (way === 'wire' ? stage.startHead() : stage.startSharingHead());

  test('rows come back in their order, into a file that appears when it is whole', async () => {
    const head = await start();
    head.held = true;
    const client = await stage.connect(head);
    const input = NpyRowFile.open(writeRows('<f4', [1000, 4]));
    const path = join(stage.directory, 'Y.npy');
    const sink = new NpyRowSink(path, 1000, { shape: [4], dtype: 'float32' });
    const handle = await client.infer({ model, input, rowsPerBlock: 300, sink, ...terms });
    await handle.uploaded;
    expect(readdirSync(stage.directory)).not.toContain('Y.npy');
    head.release();
    const status = await handle.wait();
    input.close();
    expect(status).toMatchObject({ shape: [1000, 4], dtype: 'float32', acceptedTiles: 4 });
    const file = readFileSync(path);
    expect(file.subarray(0, 128)).toEqual(npyArrayHeader('<f4', [1000, 4]));
    expect(Buffer.compare(file.subarray(128), bytesOf(numbers))).toBe(0);
  });

  test('fetched later, by what the head tells of it', async () => {
    const head = await start();
    const client = await stage.connect(head);
    const input = NpyRowFile.open(writeRows('<f4', [1000, 4]));
    const { taskId } = await (await client.infer({ model, input, ...terms })).wait();
    const rows = new MemoryRows({ rows: 1000, rowBytes: 16 });
    await (await client.attachRows(taskId, rows)).wait();
    input.close();
    expect(Buffer.compare(rows.bytes, bytesOf(numbers))).toBe(0);
  });
});

describe('what is refused before the head hears of it', () => {
  const refused = [
    ['rows of another type', '<f8', [500, 4], 'BAD_DATA', /float32.*float64/],
    ['rows of another shape', '<f4', [500, 8], 'SHAPE_MISMATCH', /\[8\]/],
    ['a single number a row', '<f4', [4000], 'SHAPE_MISMATCH', /a row is \[\]/],
  ] as const;
  test.each(refused.map(([name, ...rest]) => ({ name, rest })))('$name', async ({ rest }) => {
    const [descr, shape, code, why] = rest;
    const head = await stage.startHead();
    const client = await stage.connect(head);
    const input = NpyRowFile.open(writeRows(descr, shape));
    const inferring = client.infer({ model, input, ...terms });
    await expect(inferring).rejects.toMatchObject({ code, why: expect.stringMatching(why) });
    input.close();
    expect(head.count('submit')).toBe(0);
  });

  const unreadable = [
    ['a truncated file', '<f4', [1001, 4], /truncated/],
    ['no rows', '<f4', [0, 4], /no rows/],
    ['int64', '<i8', [500, 4], /element type/],
    ['big-endian', '>f4', [1000, 4], /element type/],
    ['Python objects', '|O', [1000, 4], /Python objects/],
  ] as const;
  test.each(unreadable.map(([name, ...rest]) => ({ name, rest })))('$name', ({ rest: [descr, shape, what] }) => {
    expect(() => NpyRowFile.open(writeRows(descr, shape))).toThrow(
      expect.objectContaining({ code: 'BAD_DATA', message: expect.stringMatching(what) }),
    );
  });

  test('what is no ONNX file', async () => {
    const client = await stage.connect(await stage.startHead());
    const input = NpyRowFile.open(writeRows('<f4', [1000, 4]));
    const inferring = client.infer({ model: new Uint8Array([9, 9, 9]), input, ...terms });
    await expect(inferring).rejects.toMatchObject({ code: 'BAD_MODEL' });
    input.close();
  });
});
