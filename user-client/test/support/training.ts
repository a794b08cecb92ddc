import {
  checkpointTensors,
  initialWeights,
  parameters,
  parseTrainSpec,
  syntheticDigits,
  writeSafetensors,
  type TrainingReport,
  type TrainSpec,
} from '@muster/shared';
import { trainingReport as emptyReport } from '@muster/shared/testkit';
import type { TrainingData } from '../../src/index.ts';

/** At step 235 of 470. */
export const trainingReport = (facts: Partial<TrainingReport> = {}): TrainingReport =>
  emptyReport({
    step: 235,
    steps: 470,
    epoch: 2,
    epochs: 5,
    loss: 0.1234,
    trainAccuracy: 0.971,
    testAccuracy: 0.9655,
    testLoss: 0.2,
    learningRate: 0.05,
    samplesPerSecond: 11_800,
    split: { computeMs: 30, transferMs: 8, aggregateMs: 2 },
    late: 1,
    audited: 12,
    checkpointStep: 200,
    ...facts,
  });

/** The file that a run begins with. */
export function checkpointOf(spec: TrainSpec, { epoch = 1, step = 10, samples = 0 } = {}): Uint8Array<ArrayBuffer> {
  const data = samples === 0 ? null : { samples, digest: 'ab12' };
  const { model, options } = spec;
  const weights = initialWeights(model, options.seed);
  const of = {
    weights,
    optimizer: {},
    outer: {},
    step,
    epoch,
    cursor: 0,
    options,
    data,
    versions: {},
  };
  const stored = checkpointTensors({ ...of, model: JSON.stringify(model) }, parameters(model));
  return new Uint8Array(Buffer.concat(writeSafetensors(stored)));
}

/** Digits in memory. */
export function digits(train: number, test: number): TrainingData {
  const { features, labels } = syntheticDigits({ samples: train + test, seed: 1 });
  const set = (from: number, samples: number): TrainingData['train'] => ({
    samples,
    read: (first, last) => ({
      features: features.subarray((from + first) * 784, (from + last) * 784),
      targets: labels.subarray(from + first, from + last),
    }),
  });
  const layout = {
    features: [1, 28, 28],
    featureType: 'uint8' as const,
    scale: 1 / 255,
    shift: 0,
    target: { kind: 'classes' as const, classes: 10 },
    samplesPerBlock: 100,
  };
  return { layout, train: set(0, train), test: set(train, test) };
}

/** Small enough to be written down. */
export const tinyModel = {
  name: 'tiny',
  input: [1, 28, 28],
  layers: [{ type: 'flatten' }, { type: 'dense', units: 10 }],
  loss: 'crossEntropy',
};

export const tinySpec = (options: Record<string, unknown> = {}): TrainSpec =>
  parseTrainSpec({
    model: tinyModel,
    layout: digits(1, 0).layout,
    trainSamples: 250,
    testSamples: 50,
    options,
    checkpointBytes: 0,
  });
