import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { blockIdOf, bytesOf, elementsOf, exportModel, parseModel, presetModel, silentLogger } from '@muster/shared';
import { startCompute, type Compute, type ComputeOptions, type Job } from '../../dist/compute/index.js';
import { onnxSteps } from '../../src/compute/backends/onnx-steps.ts';
import { readJob } from '../../src/compute/kernels.ts';
import { TrainingKernel } from '../../src/compute/training/training-kernel.ts';
import { BlockDirectory } from './tile-fixture.ts';
import { resultOf, TrainingSet } from './training/train-fixture.ts';

const options: ComputeOptions = { device: 'cpu', threads: 1, maxMemoryBytes: 2 ** 28, logger: silentLogger };

let compute: Compute;
let set: TrainingSet;
beforeAll(async () => {
  compute = await startCompute(options);
  set = new TrainingSet(presetModel('mlp', { input: [1, 28, 28], classes: 10 }), { samples: 300 });
});
afterAll(async () => {
  await compute.stop();
  set.remove();
});

test('a shard through the compute process is what the kernel gives here', async () => {
  const [there, here] = [set.job({ from: 40, to: 170 }), set.job({ from: 40, to: 170 })];
  const done = await compute.run(there);
  expect(done.bytes).toBe(readFileSync(there.out).length);
  expect(done.computeMs).toBeGreaterThan(0);
  await new TrainingKernel({ steps: onnxSteps('cpu', 1), fallback: '', cacheBytes: 2 ** 24 }).run(readJob(here));
  expect(readFileSync(there.out).equals(readFileSync(here.out))).toBe(true);
});

test('rows through a model, a tile and a shard may follow each other', async () => {
  const blocks = new BlockDirectory();
  const model = parseModel({ name: 'l', input: [3], layers: [{ type: 'dense', units: 1 }], loss: 'meanSquaredError' });
  const onnx = set.put(exportModel(model, new Float32Array([1, 2, 3, 4])));
  const x = set.put(bytesOf(new Float32Array([1, 1, 1, 0, 0, 1])));
  const rows: Job = {
    ...set.job(),
    taskType: 'infer',
    work: {
      model: onnx,
      x,
      rows: 2,
      input: { name: 'X', dtype: 'float32', shape: [3] },
      output: { name: 'output', dtype: 'float32', shape: [1] },
    },
    paths: [onnx, x].map(set.pathOf),
  };
  for (let turn = 0; turn < 3; turn++) {
    const tile = blocks.tile({ dtype: 'float32', rows: [33, 5], depths: [40], columns: 20 });
    const shard = set.job({ kind: 'evaluate' });
    await Promise.all([rows, tile.job, shard].map((job) => compute.run(job)));
    expect([...elementsOf('float32', Uint8Array.from(readFileSync(rows.out)))]).toEqual([10, 7]);
    expect(tile.off().worst).toBeLessThanOrEqual(tile.off().allowed);
    expect(resultOf(shard).samples).toBe(300);
  }
  blocks.remove();
});

test('work that fails says why, and the process goes on', async () => {
  const { pid } = compute;
  const missing = set.job();
  const paths = missing.paths.map((path, at) => (at === 2 ? join(set.path, 'nowhere') : path));
  const work = { ...missing.work, blocks: [blockIdOf(new Uint8Array(1)), ...missing.work.blocks.slice(1)] };
  await expect(compute.run({ ...missing, work, paths })).rejects.toMatchObject({
    code: 'COMPUTE_FAILED',
    why: expect.stringContaining('ENOENT'),
  });
  await expect(compute.run({ ...missing, taskType: 'echo' })).rejects.toMatchObject({ code: 'COMPUTE_FAILED' });
  await compute.run(set.job());
  expect(compute.pid).toBe(pid);
});
