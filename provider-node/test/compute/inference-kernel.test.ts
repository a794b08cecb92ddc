import { afterEach, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  blockIdOf,
  bytesOf,
  elementsOf,
  exportModel,
  initialWeights,
  parseModel,
  seededRandom,
  type BlockId,
  type InferPort,
  type TaskId,
} from '@muster/shared';
import { InferenceKernel } from '../../src/compute/inference/inference-kernel.ts';
import type { KernelJob } from '../../src/compute/kernel.ts';
import { encodeModel, type OnnxType } from '../../../shared/src/onnx/writer.ts';

const directories: string[] = [];
afterEach(() => directories.splice(0).forEach((path) => rmSync(path, { recursive: true })));

interface Inference {
  readonly model: Uint8Array;
  readonly x: Uint8Array;
  readonly rows: number;
  readonly input: InferPort;
  readonly output: InferPort;
}

function jobOf({ model, x, ...work }: Inference): KernelJob {
  const path = mkdtempSync(join(tmpdir(), 'muster-infer-'));
  directories.push(path);
  const put = (bytes: Uint8Array): BlockId => {
    const id = blockIdOf(bytes);
    writeFileSync(join(path, id), bytes);
    return id;
  };
  const ids = { model: put(model), x: put(x) };
  return {
    task: 'a' as TaskId,
    work: { ...work, ...ids },
    pathOf: (id) => join(path, id),
    out: join(path, 'result'),
  };
}

const kernel = new InferenceKernel({ kind: 'cpu', threads: 1 });
const port = (name: string, dtype: InferPort['dtype'], shape: number[]): InferPort => ({ name, dtype, shape });

/** y = x + x, of any type; the first dimension may be fixed. */
const doubling = (type: OnnxType, rows: number | string): Uint8Array =>
  encodeModel({
    name: 'doubling',
    nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] }],
    initializers: [],
    inputs: [{ name: 'x', type, dims: [rows, 3] }],
    outputs: [{ name: 'y', type, dims: [rows, 3] }],
  });

test('a network gives for 700 rows, in batches, what it is', async () => {
  const model = parseModel({
    name: 'linear',
    input: [4],
    layers: [{ type: 'dense', units: 2 }],
    loss: 'meanSquaredError',
  });
  const weights = initialWeights(model, 1);
  const draw = seededRandom(2);
  const x = Float32Array.from({ length: 700 * 4 }, () => draw());
  const job = jobOf({
    model: exportModel(model, weights),
    x: bytesOf(x),
    rows: 700,
    input: port('X', 'float32', [4]),
    output: port('output', 'float32', [2]),
  });
  const done = await kernel.run(job);
  const y = elementsOf('float32', Uint8Array.from(readFileSync(job.out)));
  expect(done).toMatchObject({ bytes: 700 * 2 * 4, fallback: '' });
  expect(y).toHaveLength(1400);
  const expected = Array.from({ length: 1400 }, (_, at) => {
    const [row, unit] = [Math.floor(at / 2), at % 2];
    return [0, 1, 2, 3].reduce((sum, i) => sum + x[row * 4 + i]! * weights[i * 2 + unit]!, weights[8 + unit]!);
  });
  const worst = expected.reduce((most, value, at) => Math.max(most, Math.abs(value - y[at]!)), 0);
  expect(worst).toBeLessThan(1e-6);
});

test.each(['float32', 'float64', 'int32', 'int8', 'uint8'] as const)('%s goes in and comes out', async (dtype) => {
  const values = dtype === 'uint8' ? new Uint8Array(21) : elementsOf(dtype, new Uint8Array(21 * 8)).slice(0, 21);
  for (let at = 0; at < 21; at++) values[at] = at;
  const x = new Uint8Array(values.buffer);
  const ports = { input: port('x', dtype, [3]), output: port('y', dtype, [3]) };
  const job = jobOf({ model: doubling(dtype, 'N'), x, rows: 7, ...ports });
  await kernel.run(job);
  const bytes = Uint8Array.from(readFileSync(job.out));
  const y = dtype === 'uint8' ? bytes : elementsOf(dtype, bytes);
  expect([...y]).toEqual(Array.from({ length: 21 }, (_, at) => 2 * at));
});

test('a model that takes a fixed number of rows gets it, filled up at the end', async () => {
  const x = Float32Array.from({ length: 21 }, (_, at) => at);
  const ports = { input: port('x', 'float32', [3]), output: port('y', 'float32', [3]) };
  const job = jobOf({ model: doubling('float32', 4), x: bytesOf(x), rows: 7, ...ports });
  await kernel.run(job);
  expect([...elementsOf('float32', Uint8Array.from(readFileSync(job.out)))]).toEqual(
    Array.from(x, (value) => 2 * value),
  );
});

test.each([
  [
    'the shape of the output',
    { output: port('y', 'float32', [2]) },
    'the output y is float32 [7, 3], not float32 [7, 2]',
  ],
  ['its type', { output: port('y', 'float64', [3]) }, 'the output y is float32 [7, 3], not float64 [7, 3]'],
  ['the name of the input', { input: port('z', 'float32', [3]) }, 'it has no input z, but x'],
])('what does not fit is said: %s', async (_, wrong, why) => {
  const ports = { input: port('x', 'float32', [3]), output: port('y', 'float32', [3]), ...wrong };
  const job = jobOf({ model: doubling('float32', 'N'), x: new Uint8Array(84), rows: 7, ...ports });
  await expect(kernel.run(job)).rejects.toMatchObject({ code: 'COMPUTE_FAILED', why });
});

test('a file that is no model fails its job', async () => {
  const ports = { input: port('x', 'float32', [3]), output: port('y', 'float32', [3]) };
  const job = jobOf({ model: new Uint8Array([1, 2, 3]), x: new Uint8Array(84), rows: 7, ...ports });
  await expect(kernel.run(job)).rejects.toMatchObject({ code: 'BAD_MODEL' });
});

test('a model may not read other files of the machine, nor blocks beside its own', async () => {
  const secret = mkdtempSync(join(tmpdir(), 'muster-secret-'));
  directories.push(secret);
  writeFileSync(join(secret, 'key'), new Float32Array([1, 2, 3]));
  const x = new Uint8Array(12);
  for (const location of [join(secret, 'key'), `../${secret.split('/').at(-1)}/key`, blockIdOf(x)]) {
    const model = encodeModel({
      name: 'thief',
      nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
      initializers: [{ name: 'w', type: 'float32', dims: [3], location, bytes: 12 }],
      inputs: [{ name: 'x', type: 'float32', dims: ['N', 3] }],
      outputs: [{ name: 'y', type: 'float32', dims: ['N', 3] }],
    });
    const ports = { input: port('x', 'float32', [3]), output: port('y', 'float32', [3]) };
    await expect(kernel.run(jobOf({ model, x, rows: 1, ...ports }))).rejects.toMatchObject({
      code: 'BAD_MODEL',
      why: 'a tensor of it lies in another file',
    });
  }
});
