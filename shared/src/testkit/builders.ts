import type { DeviceFacts } from '../protocol/messages.ts';
import type { TrainingReport } from '../protocol/training-report.ts';
import type { NodeFacts } from '../tasks/task-type.ts';
import { parseEchoSpec, type EchoSpec } from '../tasks/echo/spec.ts';
import { parseMatrixMultSpec, type MatrixMultSpec } from '../tasks/matrix-mult/spec.ts';

/** One core of a desktop computer. */
export const deviceFacts = (facts: Partial<DeviceFacts> = {}): DeviceFacts => ({
  kind: 'cpu',
  label: 'test CPU',
  threads: 1,
  memoryBytes: 8 * 2 ** 30,
  gflops: { float32: 90, float64: 44, int8: 380 },
  refused: [],
  ...facts,
});

/** A node with that core on a gigabit link. */
export const nodeFacts = (facts: Partial<NodeFacts> = {}): NodeFacts => ({
  gflops: { float32: 90, float64: 44, int8: 380 },
  memoryBytes: 8 * 2 ** 30,
  linkBytesPerMs: 118_000,
  ...facts,
});

export const matrixMultSpec = (fields: Partial<MatrixMultSpec> = {}): MatrixMultSpec =>
  parseMatrixMultSpec({ m: 64, k: 48, n: 80, dtype: 'float32', grid: 'auto', ...fields });

export const echoSpec = (fields: Partial<EchoSpec> = {}): EchoSpec => parseEchoSpec({ count: 100, ...fields });

/** The smallest training: two classes of four numbers, four steps, as a client submits it. */
export const trainSpec = (options: object = {}, fields: object = {}): object => ({
  model: { name: 'tiny', input: [4], layers: [{ type: 'dense', units: 2 }], loss: 'crossEntropy' },
  layout: {
    features: [4],
    featureType: 'float32',
    scale: 1,
    shift: 0,
    target: { kind: 'classes', classes: 2 },
    samplesPerBlock: 64,
  },
  trainSamples: 512,
  testSamples: 100,
  options: { batch: 128, epochs: 1, ...options },
  checkpointBytes: 0,
  ...fields,
});

/** Report of that training before its first step. */
export const trainingReport = (facts: Partial<TrainingReport> = {}): TrainingReport => ({
  step: 0,
  steps: 4,
  epoch: 0,
  epochs: 1,
  loss: null,
  trainAccuracy: null,
  testAccuracy: null,
  testLoss: null,
  learningRate: 0.1,
  samplesPerSecond: 0,
  split: { computeMs: 0, transferMs: 0, aggregateMs: 0 },
  late: 0,
  audited: 0,
  disputed: 0,
  checkpointStep: 0,
  checkpointBytes: 0,
  weightsSha256: '',
  ...facts,
});
