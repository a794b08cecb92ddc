import { afterAll, beforeAll, expect } from '@jest/globals';
import { elementsOf, presetModel, presets, silentLogger, type Preset } from '@muster/shared';
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
