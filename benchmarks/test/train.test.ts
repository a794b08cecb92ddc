import { afterAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { elementsOf, readShardResult, type TaskId, type TaskStatus } from '@muster/shared';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { crowdRow, type CrowdRow } from '../src/scenarios/train-crowd.ts';
import { rowOf, sharesOf, type TrainRow } from '../src/scenarios/train.ts';
import { overOne, trainChart, trainTable } from '../src/train-report.ts';
import { BenchSamples } from '../src/training/bench-samples.ts';
import { EmulatedCompute } from '../src/training/emulated-compute.ts';
import { windowBetween, type Look, type StepWindow } from '../src/training/step-window.ts';
import { wellFormed } from './xml.ts';

const window: StepWindow = {
  steps: 10,
  ms: 200,
  computeMs: 240,
  bytesSent: 4000,
  bytesReceived: 2000,
  split: { computeMs: 15, transferMs: 4, aggregateMs: 1 },
  disputed: 0,
};

describe('shares of a step', () => {
  test('add up to the whole: what the slowest node took beyond the mean is idleness of the others', () => {
    const { compute, transfer, aggregate, idle } = sharesOf(window, 2);
    expect([compute, transfer, aggregate]).toEqual([0.6, 0.2, 0.05]);
    expect(idle).toBeCloseTo(0.15, 12);
  });

  test('computing never takes more than the way and the sum leave', () => {
    expect(sharesOf({ ...window, computeMs: 9999 }, 2)).toEqual({
      compute: 0.75,
      transfer: 0.2,
      aggregate: 0.05,
      idle: 0,
    });
  });

  test('before the head has seen a step, only computing is known', () => {
    const split = { computeMs: 0, transferMs: 0, aggregateMs: 0 };
    expect(sharesOf({ ...window, split }, 2)).toEqual({ compute: 0.6, transfer: 0, aggregate: 0, idle: 0.4 });
  });
});

test('a window is the difference of two looks, with the split of the second', () => {
  const look = (atMs: number, step: number, computeMs: number): Look => ({
    atMs,
    status: {
      bytesSent: 100 * step,
      bytesReceived: 50 * step,
      nodes: [{ computeMs }, { computeMs: 2 * computeMs }],
      training: { step, split: { ...window.split, transferMs: step }, disputed: 1 },
    } as TaskStatus,
  });
  expect(windowBetween(look(1000, 8, 10), look(1200, 18, 90))).toEqual({
    ...window,
    bytesSent: 1000,
    bytesReceived: 500,
    split: { ...window.split, transferMs: 18 },
    disputed: 1,
  });
});

const runOf = (inProcessMs: number, ms: number) => ({
  inProcessMs,
  apartMs: new Map([
    [1, inProcessMs],
    [2, inProcessMs / 2],
  ]),
  windows: new Map([
    [1, { ...window, ms: 2 * ms }],
    [2, { ...window, ms }],
  ]),
});
const repetitions = [runOf(30, 200), runOf(36, 160), runOf(33, 900)];
const rows: TrainRow[] = [1, 2].map((providers) =>
  rowOf({ model: 'lenet', batch: 512, compression: 'none' }, providers, repetitions),
);

test('a row has the medians of its repetitions, and bytes of a step', () => {
  expect(rows[1]).toEqual({
    model: 'lenet',
    batch: 512,
    providers: 2,
    compression: 'none',
    repetitions: 3,
    ms: 20,
    imagesPerSecond: 25_600,
    inProcessMs: 33,
    speedup: 1.65,
    apartMs: 16.5,
    share: sharesOf(window, 2),
    bytesDown: 400,
    bytesUp: 200,
  });
  expect(rows.map((row) => overOne(row, rows))).toEqual([null, 2]);
  expect(overOne({ ...rows[1]!, compression: 'bf16' }, rows)).toBeNull();
});

const crowd: CrowdRow = crowdRow({ batch: 256, count: 8, waitMs: 3 }, [
  { steps: 100, ms: 500, headMs: 400, disputed: 0 },
  { steps: 100, ms: 700, headMs: 800, disputed: 1 },
  { steps: 100, ms: 1900, headMs: null, disputed: 0 },
]);

test('what a crowd took beyond waiting is divided by its nodes', () => {
  expect(crowd).toEqual({
    model: 'lenet',
    batch: 256,
    emulatedProviders: 8,
    repetitions: 3,
    ms: 7,
    waitMs: 3,
    overheadMsPerProvider: 0.5,
    headMsPerProvider: 0.75,
    disputed: 1,
  });
  const blind = crowdRow({ batch: 8, count: 8, waitMs: 3 }, [{ steps: 1, ms: 3, headMs: null, disputed: 0 }]);
  expect(blind.headMsPerProvider).toBeNull();
});

describe('the report', () => {
  const machine = { cpu: 'a CPU', cores: 2, memoryBytes: 2 ** 33, node: 'v20', os: 'Linux', date: '2026-01-01' };
  const report = { machine, blocks: 'auto', rows: [...rows, crowd] } as const;
  const cellsOf = (line = ''): string[] => line.trim().split(/ {2,}/);

  test('tells emulated nodes from real ones', () => {
    const lines = trainTable(report).split('\n');
    expect(cellsOf(lines[3]).slice(0, 10)).toEqual([
      'lenet',
      '512',
      '2',
      'none',
      '20.0',
      '25,600',
      '33.0',
      '1.65x',
      '2.00x',
      '16.5',
    ]);
    const at = lines.findIndex((line) => line.includes('emulated providers'));
    expect(cellsOf(lines[at])).toContain('emulated providers');
    expect(cellsOf(lines[at + 1])).toEqual(['lenet', '256', '8', '7.00', '3.00', '0.50', '0.75']);
  });

  test('draws what is not compressed, of real nodes alone', () => {
    const chart = trainChart({ ...report, rows: [...report.rows, { ...rows[1]!, compression: 'bf16', speedup: 9 }] });
    expect(wellFormed(chart)).toBe('');
    expect(chart).toContain('<desc>lenet, 512: 1 provider 0.82, 2 providers 1.65</desc>');
    expect(chart).not.toContain('emulated');
  });
});

describe('emulated nodes', () => {
  const directories = new TemporaryDirectories();
  afterAll(() => directories.removeAll());
  const ofSample = { samples: 1, correct: 1, loss: 0.5, vector: new Float32Array([1, -2, 3]) };

  test('return the multiple of one sample that their shard is, after the time it would have taken', async () => {
    const incoming = join(directories.make(), 'incoming');
    mkdirSync(incoming);
    const out = join(incoming, 'result');
    const compute = new EmulatedCompute({ ofSample, msPerSample: 0.25 });
    const work = { from: 10, to: 14 };
    const done = await compute.run({ task: 'task' as TaskId, taskType: 'train', work, paths: [], out });
    expect(done).toMatchObject({ computeMs: 1, bytes: readFileSync(out).length });
    const { samples, correct, loss, payload } = readShardResult(readFileSync(out), 4);
    expect({ samples, correct, loss }).toEqual({ samples: 4, correct: 4, loss: 2 });
    expect([...elementsOf('float32', Uint8Array.from(payload))]).toEqual([4, -8, 12]);
  });

  test('compute nothing else', async () => {
    const compute = new EmulatedCompute({ ofSample, msPerSample: 0 });
    const job = { task: 'task' as TaskId, taskType: 'matrix_mult', work: {}, paths: [], out: '' };
    await expect(compute.run(job)).rejects.toMatchObject({ code: 'COMPUTE_FAILED' });
    await compute.stop();
  });
});

test('samples that are alike are so in every block', () => {
  const samples = BenchSamples.alike(2000);
  const [first, last] = [samples.blockAt(0), samples.blockAt(1)];
  expect(first.samples + last.samples).toBe(2000);
  expect(last.features.subarray(0, 784)).toEqual(first.features.subarray(0, 784));
  expect(samples.test.samples).toBe(0);
});
