import { afterAll, beforeAll, expect } from '@jest/globals';
import { elementsOf, presetModel, presets, silentLogger, type ShardResult } from '@muster/shared';
import { startCompute, type ComputeOptions } from '../../dist/compute/index.js';
import { gpuTest, softwareGpu } from './software-gpu.ts';
import { BlockDirectory } from './tile-fixture.ts';
import { resultOf, TrainingSet } from './training/train-fixture.ts';

const options: ComputeOptions = { device: 'auto', threads: 1, maxMemoryBytes: 2 ** 28, logger: silentLogger };

let blocks: BlockDirectory;
beforeAll(() => {
  blocks = new BlockDirectory();
  Object.assign(process.env, softwareGpu);
});
afterAll(() => {
  for (const name of Object.keys(softwareGpu)) delete process.env[name];
  blocks.remove();
});

gpuTest(
  'products on WebGPU are right, for types that it lacks by the CPU beside it, and its death is survived',
  async () => {
    const compute = await startCompute({ ...options, device: 'webgpu' });
    const { kind, refused, gflops } = compute.device;
    expect({ kind, refused }).toEqual({ kind: 'webgpu', refused: [] });
    for (const rate of Object.values(gflops)) expect(rate).toBeGreaterThan(0);
    const multiplyAll = async (): Promise<void> => {
      for (const dtype of ['float32', 'float32', 'float32', 'float64', 'int8'] as const) {
        const tile = blocks.tile({ dtype, rows: [64, 64, 5], depths: [128, 31], columns: 67 });
        await compute.run(tile.job);
        const { worst, allowed } = tile.off();
        expect(worst).toBeLessThanOrEqual(allowed);
      }
    };
    await multiplyAll();
    await compute.abort();
    await multiplyAll();
    await compute.stop();
  },
  120_000,
);

gpuTest(
  'networks train on WebGPU as on the CPU',
  async () => {
    const sets = presets.map(
      (name) => new TrainingSet(presetModel(name, { input: [1, 28, 28], classes: 10 }), { samples: 40 }),
    );
    const gpu = await sumsOn('webgpu', sets);
    const cpu = await sumsOn('cpu', sets);
    for (const [at, { gradient, evaluation }] of cpu.entries()) {
      expect(apart(gpu[at]!.gradient, gradient)).toBeLessThan(1e-4);
      expect(gpu[at]!.evaluation.loss / evaluation.loss).toBeCloseTo(1, 5);
      expect(gpu[at]!.evaluation.correct).toBe(evaluation.correct);
    }
    for (const set of sets) set.remove();
  },
  240_000,
);

interface Sums {
  readonly gradient: Float32Array;
  readonly evaluation: ShardResult;
}

async function sumsOn(device: 'webgpu' | 'cpu', sets: readonly TrainingSet[]): Promise<Sums[]> {
  const compute = await startCompute({ ...options, device });
  const sums: Sums[] = [];
  for (const set of sets) {
    const [step, evaluation] = [set.job({ to: 16 }), set.job({ kind: 'evaluate' })];
    for (const job of [step, evaluation]) expect((await compute.run(job)).fallback).toBe('');
    const gradient = elementsOf('float32', Uint8Array.from(resultOf(step).payload));
    sums.push({ gradient, evaluation: resultOf(evaluation) });
  }
  await compute.stop();
  return sums;
}

/** Largest difference, of the largest element. */
function apart(actual: Float32Array, expected: Float32Array): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.reduce((worst, value, at) => Math.max(worst, Math.abs(value - actual[at]!)), 0) / largest;
}

gpuTest(
  'a software GPU is not chosen when the CPU is faster',
  async () => {
    const compute = await startCompute(options);
    await compute.stop();
    expect(compute.device.kind).toBe('cpu');
    const reasons = Object.fromEntries(compute.device.refused.map(({ ep, reason }) => [ep, reason]));
    expect(reasons['webgpu']).toMatch(/^slower than cpu: [\d.]+ vs [\d.]+ GFLOP\/s$/);
  },
  120_000,
);
