import { afterEach, describe, expect, test } from '@jest/globals';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import {
  bytesOf,
  decodeGradient,
  elementsOf,
  EpochOrder,
  gatherBatch,
  parameterCount,
  parseModel,
  SHARD_HEADER_BYTES,
  type Compression,
  type Model,
  type TrainWork,
} from '@muster/shared';
import { onnxSteps } from '../../../src/compute/backends/onnx-steps.ts';
import type { StepBackend } from '../../../src/compute/backends/step-backend.ts';
import { readJob } from '../../../src/compute/kernels.ts';
import { tampering } from '../../../src/compute/tamper.ts';
import { TrainingKernel, type TrainingKernelOptions } from '../../../src/compute/training/training-kernel.ts';
import { verifiedSteps } from '../../../src/compute/training/verified-steps.ts';
import { referenceSums, type ReferenceSample } from './reference.ts';
import { resultOf, TrainingSet, type TrainJob, type TrainingSetOptions } from './train-fixture.ts';

const cpu = onnxSteps('cpu', 1);
const dense = (units: number) => ({ type: 'dense', units });
const small = parseModel({
  name: 'small',
  input: [6],
  layers: [dense(5), { type: 'relu' }, dense(3)],
  loss: 'crossEntropy',
});
const withDropout = parseModel({ ...small, layers: [dense(5), { type: 'dropout', rate: 0.5 }, dense(3)] });

const sets: TrainingSet[] = [];
afterEach(() => sets.splice(0).forEach((set) => set.remove()));

function setOf(model: Model, options: TrainingSetOptions): TrainingSet {
  const set = new TrainingSet(model, options);
  sets.push(set);
  return set;
}

const kernelOf = (options: Partial<TrainingKernelOptions> = {}): TrainingKernel =>
  new TrainingKernel({ steps: cpu, fallback: '', cacheBytes: 2 ** 24, ...options });

async function vectorOf(kernel: TrainingKernel, job: TrainJob): Promise<Float32Array> {
  await kernel.run(readJob(job));
  return elementsOf('float32', Uint8Array.from(resultOf(job).payload));
}

function samplesAt(set: TrainingSet, indices: Uint32Array): ReferenceSample[] {
  const width = 6;
  const X = new Float32Array(indices.length * width);
  const Y = new Float32Array(indices.length * 3);
  gatherBatch(set.layout, { blockAt: set.blockAt, indices }, { X, Y });
  return [...indices.keys()].map((row) => ({
    x: [...X.subarray(row * width, (row + 1) * width)],
    label: Y.subarray(row * 3, (row + 1) * 3).indexOf(1),
  }));
}

/** Largest difference, relative to the largest element. */
function apart(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const values = Array.from(expected);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return values.reduce((worst, value, at) => Math.max(worst, Math.abs(value - actual[at]!)), 0) / largest;
}

describe('a gradient', () => {
  test.each([
    ['a part of an epoch', { from: 30, to: 97, epoch: 2 }],
    ['one sample', { from: 5, to: 6, epoch: 0 }],
    ['more samples than are computed at once', { from: 100, to: 2400, epoch: 1 }],
  ])('of %s is the sum over its samples', async (_, range) => {
    const set = setOf(small, { samples: 2500 });
    const job = set.job(range);
    const done = await kernelOf().run(readJob(job));
    const result = resultOf(job);
    const indices = new EpochOrder(3, range.epoch, 2500).order.subarray(range.from, range.to);
    const expected = referenceSums(small, set.weights, samplesAt(set, indices));
    expect(result).toMatchObject({ samples: range.to - range.from, correct: expected.correct });
    expect(result.loss / expected.loss).toBeCloseTo(1, 5);
    expect(apart(elementsOf('float32', Uint8Array.from(result.payload)), expected.gradient)).toBeLessThan(1e-5);
    expect(done).toMatchObject({ bytes: statSync(job.out).size, fallback: '' });
  });

  test('needs only the blocks that its samples are in', async () => {
    const set = setOf(small, { samples: 200, samplesPerBlock: 10 });
    const whole = set.job({ from: 0, to: 8 });
    const numbers = [...new Set(new EpochOrder(3, 0, 200).order.slice(0, 8))].map((at) => Math.floor(at / 10));
    const some = [...new Set(numbers)].toSorted((a, b) => a - b);
    const job = set.job({ from: 0, to: 8, numbers: some, blocks: some.map((number) => whole.work.blocks[number]!) });
    expect(await vectorOf(kernelOf(), job)).toEqual(await vectorOf(kernelOf(), whole));
    const without = set.job({ from: 0, to: 8, numbers: some.slice(1), blocks: job.work.blocks.slice(1) });
    await expect(kernelOf().run(readJob(without))).rejects.toThrow(`block ${some[0]} is not in the work`);
  });

  test('with dropout is the same whatever the shards are', async () => {
    const set = setOf(withDropout, { samples: 90 });
    const kernel = kernelOf();
    const whole = await vectorOf(kernel, set.job({ step: 4 }));
    const [left, right] = [
      await vectorOf(kernel, set.job({ step: 4, to: 31 })),
      await vectorOf(kernel, set.job({ step: 4, from: 31 })),
    ];
    const sum = left.map((value, at) => value + right[at]!);
    expect(apart(sum, whole)).toBeLessThan(1e-6);
    expect(apart(await vectorOf(kernel, set.job({ step: 5 })), whole)).toBeGreaterThan(1e-3);
  });

  test('is that of its own samples where two runs of one model take turns', async () => {
    const kernel = kernelOf();
    const [mine, others] = [1, 2].map((seed) => setOf(small, { samples: 200, seed }));
    others!.weights.set(mine!.weights);
    const turns = [0, 50, 100].flatMap((from) => [
      { set: mine!, job: mine!.job({ from, to: from + 50 }, 'a') },
      { set: others!, job: others!.job({ from, to: from + 50 }, 'b') },
    ]);
    for (const { set, job } of turns) {
      const { from, to, task } = { ...job.work, task: job.task };
      const alone = await vectorOf(kernelOf(), set.job({ from, to }, task));
      expect(await vectorOf(kernel, job)).toEqual(alone);
      kernel.idle();
    }
  });

  test('is computed again with new weights, and for many models in turn', async () => {
    const kernel = kernelOf();
    const models = [2, 3, 4, 5, 6, 7].map((units) => parseModel({ ...small, layers: [dense(units), dense(3)] }));
    for (const model of [...models, ...models]) {
      const set = setOf(model, { samples: 20 });
      const before = await vectorOf(kernel, set.job());
      set.weights[0]! += 0.5;
      const after = await vectorOf(kernel, set.job());
      expect(before).toHaveLength(parameterCount(model));
      expect(apart(after, before)).toBeGreaterThan(0);
    }
  });
});

test.each([
  [784, 128],
  [1024, 64],
  [600, 40],
])(
  '%d inputs and %d units: a deterministic gradient has the same bits on one thread and on four',
  async (inputs, units) => {
    const wide = parseModel({ ...small, input: [inputs], layers: [dense(units), { type: 'relu' }, dense(3)] });
    const set = setOf(wide, { samples: 64 });
    const vectors = [1, 4].map((threads) =>
      vectorOf(kernelOf({ steps: onnxSteps('cpu', threads) }), set.job({ deterministic: true })),
    );
    const [one, four] = await Promise.all(vectors);
    expect(Buffer.compare(bytesOf(four!), bytesOf(one!))).toBe(0);
  },
);

test('a model is opened for deterministic work, and for other work', async () => {
  const opened: boolean[] = [];
  const steps: StepBackend = {
    kind: 'cpu',
    open: (model, kind, terms) => {
      opened.push(terms.deterministic);
      return cpu.open(model, kind, terms);
    },
  };
  const set = setOf(small, { samples: 20 });
  const kernel = kernelOf({ steps });
  for (const deterministic of [true, false, true]) await kernel.run(readJob(set.job({ deterministic })));
  expect(opened).toEqual([true, false]);
});

test('an evaluation is a header: samples by number, in order', async () => {
  const set = setOf(withDropout, { samples: 70 });
  const job = set.job({ kind: 'evaluate', from: 20, to: 55 });
  await kernelOf().run(readJob(job));
  expect(statSync(job.out).size).toBe(SHARD_HEADER_BYTES);
  const half = [set.job({ kind: 'evaluate', from: 20, to: 40 }), set.job({ kind: 'evaluate', from: 40, to: 55 })];
  for (const part of half) await kernelOf().run(readJob(part));
  const [whole, first, second] = [job, ...half].map(resultOf);
  expect(first!.loss + second!.loss).toBeCloseTo(whole!.loss, 4);
  expect(first!.correct + second!.correct).toBe(whole!.correct);
});

const plain = {
  optimizer: 'momentum',
  momentum: 0.9,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: 0,
} as const;

test.each([0, 0.9])('steps alone, momentum %p, give the start less the end', async (momentum) => {
  const set = setOf(small, { samples: 100 });
  const job = set.job({ from: 10, to: 60, local: { ...plain, steps: 5, learningRate: 0.2, momentum } });
  const moved = await vectorOf(kernelOf(), job);
  const order = new EpochOrder(3, 0, 100).order;
  const weights = Float64Array.from(set.weights);
  const velocity = new Float64Array(weights.length);
  let loss = 0;
  for (let step = 0; step < 5; step++) {
    const sums = referenceSums(small, weights, samplesAt(set, order.subarray(10 + step * 10, 20 + step * 10)));
    loss += sums.loss;
    sums.gradient.forEach((value, at) => {
      velocity[at] = momentum * velocity[at]! + value / 10;
      weights[at]! -= 0.2 * velocity[at];
    });
  }
  const expected = weights.map((value, at) => set.weights[at]! - value);
  expect(apart(moved, expected)).toBeLessThan(1e-4);
  expect(resultOf(job)).toMatchObject({ samples: 50 });
  expect(resultOf(job).loss / loss).toBeCloseTo(1, 4);
});

describe('steps alone are those of the run', () => {
  const moved = async (given: Partial<NonNullable<TrainWork['local']>>): Promise<Float32Array> => {
    const set = setOf(small, { samples: 100 });
    return vectorOf(kernelOf(), set.job({ to: 20, local: { ...plain, steps: 1, learningRate: 0.2, ...given } }));
  };
  const largest = (values: Float32Array): number => Math.max(...values.map(Math.abs));

  test('Adam goes as far as its rate says, whatever the gradient is', async () => {
    expect(largest(await moved({ optimizer: 'adam' }))).toBeCloseTo(0.2, 3);
  });

  test('a clipped gradient has the norm', async () => {
    const norm = Math.hypot(...(await moved({ clipNorm: 1e-3 })));
    expect(norm / 2e-4).toBeCloseTo(1, 3);
  });

  test('weights decay', async () => {
    const set = setOf(small, { samples: 100 });
    const [decayed, without] = [await moved({ weightDecay: 0.5 }), await moved({})];
    const expected = without.map((value, at) => value + 0.2 * 0.5 * set.weights[at]!);
    expect(apart(decayed, expected)).toBeLessThan(1e-5);
  });
});

describe('what compression leaves out', () => {
  const compression: Compression = { topk: 0.1 };
  const decoded = async (kernel: TrainingKernel, job: TrainJob): Promise<Float32Array> => {
    await kernel.run(readJob(job));
    const out = new Float32Array(parameterCount(small));
    decodeGradient(compression, Uint8Array.from(resultOf(job).payload), { out });
    return out;
  };

  test('goes into the next gradient of the same task, and not into that of another', async () => {
    const set = setOf(small, { samples: 50 });
    const kernel = kernelOf();
    const given = { compression, keepsResidual: true };
    const first = await decoded(kernel, set.job(given, 'a'));
    const second = await decoded(kernel, set.job(given, 'a'));
    expect(second).not.toEqual(first);
    expect(await decoded(kernel, set.job(given, 'b'))).toEqual(first);
  });

  test('waits for the next of its task, whatever other tasks do in between', async () => {
    const set = setOf(small, { samples: 50 });
    const [alone, among] = [kernelOf(), kernelOf()];
    const given = { compression, keepsResidual: true };
    const expected = [await decoded(alone, set.job(given, 'a')), await decoded(alone, set.job(given, 'a'))];
    const seen = [await decoded(among, set.job(given, 'a'))];
    for (const other of 'bcdefghijklmnopqrst') await decoded(among, set.job(given, other));
    seen.push(await decoded(among, set.job(given, 'a')));
    expect(seen).toEqual(expected);
  });

  test('is named in the header of the next, by the shard that left it', async () => {
    const set = setOf(small, { samples: 50 });
    const kernel = kernelOf();
    const chainOf = async (given: Partial<TrainWork>, task: string): Promise<number[]> => {
      const job = set.job({ compression, ...given }, task);
      await kernel.run(readJob(job));
      const { number, after } = resultOf(job);
      return [number, after];
    };
    const kept = { keepsResidual: true };
    const [first, none] = await chainOf(kept, 'a');
    expect(first).toBeGreaterThan(0);
    expect(none).toBe(0);
    expect(await chainOf(kept, 'a')).toEqual([first! + 1, first]);
    expect((await chainOf(kept, 'b'))[1]).toBe(0);
    expect(await chainOf({ ...kept, kind: 'evaluate' }, 'a')).toEqual([0, 0]);
    expect(await chainOf({}, 'a')).toEqual([0, 0]);
    expect(await chainOf(kept, 'a')).toEqual([first! + 2, first! + 1]);
  });

  test('is again what it was before a shard that the head did not take', async () => {
    const set = setOf(small, { samples: 50 });
    const [without, late] = [kernelOf(), kernelOf()];
    const at = (step: number, taken: number) =>
      set.job({ compression, keepsResidual: true, step, taken, from: 10 * step, to: 10 * step + 10 });
    const numberOf = async (kernel: TrainingKernel): Promise<number> => {
      const job = at(0, 0);
      await kernel.run(readJob(job));
      return resultOf(job).number;
    };
    const expected = await decoded(without, at(2, await numberOf(without)));
    const taken = await numberOf(late);
    await decoded(late, at(1, taken));
    expect(await decoded(late, at(2, taken))).toEqual(expected);
  });

  test('is lost where that is wanted', async () => {
    const set = setOf(small, { samples: 50 });
    const kernel = kernelOf();
    expect(await decoded(kernel, set.job({ compression }))).toEqual(await decoded(kernel, set.job({ compression })));
  });

  test('a gradient that is no number is told by the loss, where the codec cannot', async () => {
    const set = setOf(small, { samples: 10 });
    set.weights[0] = Number.NaN;
    const kernel = kernelOf();
    expect(Math.max(...(await decoded(kernel, set.job({ compression }))))).toBe(0);
    const job = set.job({ compression: 'none' });
    await kernel.run(readJob(job));
    expect(resultOf(job).loss).toBeNaN();
  });
});

describe('what is refused', () => {
  test('weights of another model', async () => {
    const set = setOf(small, { samples: 10 });
    const job = set.job({ weights: set.put(new Uint8Array(12)) });
    await expect(kernelOf().run(readJob(job))).rejects.toThrow('the blocks have 12 bytes, the operand has');
  });

  test('a model that is none, and samples that do not fit the layout', async () => {
    const set = setOf(small, { samples: 10 });
    const noModel = set.job({ model: set.put(Buffer.from('{"name":"x"}')) });
    await expect(kernelOf().run(readJob(noModel))).rejects.toMatchObject({ code: 'BAD_MODEL' });
    const noBlock = set.job({ blocks: [set.put(new Uint8Array(13))] });
    await expect(kernelOf().run(readJob(noBlock))).rejects.toMatchObject({ code: 'BAD_DATA' });
  });
});

test('a result replaces what was in its file', async () => {
  const set = setOf(small, { samples: 10 });
  const job = set.job({ kind: 'evaluate' });
  writeFileSync(job.out, new Uint8Array(100));
  await kernelOf().run(readJob(job));
  expect(readFileSync(job.out)).toHaveLength(SHARD_HEADER_BYTES);
});

test('a tampering kernel turns signs', async () => {
  const set = setOf(small, { samples: 10 });
  const honest = await vectorOf(kernelOf(), set.job());
  const flipped = await vectorOf(kernelOf({ finish: tampering('flip')! }), set.job());
  expect(bytesOf(flipped.map((value) => -value))).toEqual(bytesOf(honest));
});

describe('a device must train as the CPU does', () => {
  const device = (spoil: (gradient: Float32Array) => void): StepBackend => ({
    kind: 'webgpu',
    open: async (model, kind, terms) => {
      const graph = await cpu.open(model, kind, terms);
      const run: typeof graph.run = async (inputs) => {
        const outputs = await graph.run(inputs);
        if (outputs.gradient) spoil(outputs.gradient);
        return outputs;
      };
      return { ...graph, run };
    },
  });

  test('then it does', async () => {
    const same = device(() => undefined);
    expect(await verifiedSteps({ device: same, cpu })).toEqual({ steps: same, fallback: '' });
  });

  test.each([
    ['off', (gradient: Float32Array) => void (gradient[7]! += 1)],
    ['no number', (gradient: Float32Array) => void (gradient[7] = Number.NaN)],
  ])('else the CPU does, with the reason: %s', async (_, spoil) => {
    const { steps, fallback } = await verifiedSteps({ device: device(spoil), cpu });
    expect(steps).toBe(cpu);
    expect(fallback).toMatch(/^webgpu does not train: its gradient is off by/);
  });

  test('or the reason why it does not open', async () => {
    const closed: StepBackend = { kind: 'cuda', open: () => Promise.reject(new Error('no driver\nat 0x7')) };
    expect(await verifiedSteps({ device: closed, cpu })).toEqual({
      steps: cpu,
      fallback: 'cuda does not train: no driver',
    });
  });
});
