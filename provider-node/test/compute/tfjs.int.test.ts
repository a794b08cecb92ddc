import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import {
  dropouts,
  elementCount,
  type GraphTensor,
  initialWeights,
  type Model,
  outputCount,
  parameters,
  parseModel,
  presetModel,
  seededRandom,
} from '@muster/shared';
import { onnxSteps } from '../../src/compute/backends/onnx-steps.ts';
import { loadTfjs, usesGpu } from '../../src/compute/backends/tfjs/load-tfjs.ts';
import { tfjsBackend } from '../../src/compute/backends/tfjs/tfjs-backend.ts';
import { tfjsSteps } from '../../src/compute/backends/tfjs/tfjs-steps.ts';
import { verifiedMultiplier } from '../../src/compute/backends/verified-multiplier.ts';
import { verifiedSteps } from '../../src/compute/training/verified-steps.ts';

// Else it prints an advertisement.
tf.env().set('IS_TEST', true);

/** The same code runs on the plain package, whose CPU backend needs nothing native. */
const loaded = loadTfjs({ load: () => tf, nodeVersion: '20.19.0' });

describe('loading', () => {
  const load = (message: string, nodeVersion = '20.19.0') => {
    const broken = (): never => {
      throw new Error(message);
    };
    return () => loadTfjs({ load: broken, nodeVersion });
  };
  const name = '@tensorflow/tfjs-node-gpu';

  test.each([
    [
      'not installed',
      `Cannot find module '${name}'\nRequire stack:`,
      `it is not installed: npm install ${name}@4.22.0`,
    ],
    [
      'no native part',
      'The Node.js native addon module (tfjs_binding.node) can not be found at path: /x',
      `the native part of ${name} is missing or cannot be loaded: npm rebuild ${name} --build-addon-from-source`,
    ],
    [
      'half installed',
      `Cannot find module '@tensorflow/tfjs'\nRequire stack:`,
      `${name} is installed without @tensorflow/tfjs: npm install ${name}@4.22.0 again`,
    ],
    ['anything else', 'no such luck\nat line 3', `${name} does not load: no such luck`],
  ])('%s', (_, thrown, reason) => {
    expect(load(thrown)).toThrow(reason);
  });

  test('a Node that it does not work with', () => {
    expect(load('', '24.1.0')).toThrow(`${name} does not work with Node 24.1.0: use Node 20 or 22`);
  });

  test('the real one is not there in tests', () => {
    expect(() => loadTfjs()).toThrow(/it is not installed|does not work with Node/);
  });

  test('a CPU is no GPU', async () => {
    await tf.ready();
    expect(usesGpu(loaded)).toBe(false);
  });
});

test('products are right, those of a kept operand too', async () => {
  const backend = tfjsBackend(loaded);
  await backend.check();
  const before = tf.memory().numTensors;
  await expect(verifiedMultiplier(backend, 'float32')).resolves.toMatchObject({ dtype: 'float32' });
  expect(tf.memory().numTensors).toBe(before);
  await expect(verifiedMultiplier(backend, 'int8')).rejects.toThrow('tfjs does not multiply int8');
});

describe('steps equal those of ONNX Runtime', () => {
  const dense = (units: number) => ({ type: 'dense', units });
  const conv = (filters: number, more = {}) => ({ type: 'conv', filters, kernel: 3, ...more });
  const imageModel = (...layers: object[]): Model =>
    parseModel({ name: 'image', input: [2, 9, 12], layers: [...layers, dense(4)], loss: 'crossEntropy' });
  const models: Record<string, Model> = {
    lenet: presetModel('lenet', { input: [1, 12, 12], classes: 10 }),
    'every layer': imageModel(
      conv(3, { padding: 'same', stride: 2 }),
      { type: 'layerNorm' },
      { type: 'gelu' },
      { type: 'residual', layers: [conv(3, { padding: 1, bias: false }), { type: 'sigmoid' }] },
      { type: 'averagePool', size: 2 },
      { type: 'dropout', rate: 0.3 },
      { type: 'flatten' },
      dense(8),
      { type: 'tanh' },
      { type: 'dropout', rate: 0.5 },
    ),
    'a kernel of even size, pooling that overlaps': imageModel(
      conv(4, { kernel: 4, padding: 'same' }),
      { type: 'relu' },
      { type: 'maxPool', size: 3, stride: 2 },
      conv(6, { kernel: 2, padding: 2, stride: 3 }),
      { type: 'globalAveragePool' },
    ),
    regression: parseModel({ name: 'r', input: [5], layers: [dense(3)], loss: 'meanSquaredError' }),
  };

  test.each(Object.entries(models))('%s', async (_, model) => {
    const inputs = stepInputs(model, 3);
    for (const kind of ['gradient', 'evaluate'] as const) {
      const given = kind === 'gradient' ? inputs : { weights: inputs['weights']!, X: inputs['X']!, Y: inputs['Y']! };
      const before = tf.memory().numTensors;
      const terms = { deterministic: false };
      const actual = await (await tfjsSteps(loaded).open(model, kind, terms)).run(given);
      expect(tf.memory().numTensors).toBe(before);
      const expected = await (await onnxSteps('cpu', 1).open(model, kind, terms)).run(given);
      expect(actual.loss[0]! / expected.loss[0]!).toBeCloseTo(1, 5);
      expect(actual.correct).toEqual(expected.correct);
      for (const { name, offset, shape } of parameters(model)) {
        const end = offset + elementCount(shape);
        const off = apart(actual.gradient?.subarray(offset, end), expected.gradient?.subarray(offset, end));
        expect([name, off]).toEqual([name, expect.closeTo(0, 4)]);
      }
    }
  });

  test('so the self-test lets it train', async () => {
    const device = tfjsSteps(loaded);
    const { steps, fallback } = await verifiedSteps({ device, cpu: onnxSteps('cpu', 1) });
    expect({ same: steps === device, fallback }).toEqual({ same: true, fallback: '' });
  });
});

function stepInputs(model: Model, samples: number): Record<string, GraphTensor> {
  const draw = seededRandom(5);
  const weights = initialWeights(model, 5).map((value) => value + 0.1 * draw());
  const classes = outputCount(model);
  const target = model.loss === 'crossEntropy' ? (at: number) => Number(at % (classes + 1) === 0) : () => draw();
  const masks = dropouts(model).map(({ shape, rate }, at) => {
    const value = (): number => (draw() < rate ? 0 : 1 / (1 - rate));
    return [`mask:${at}`, tensor([samples, ...shape], value)] as const;
  });
  return {
    weights: { elements: weights, dims: [weights.length] },
    X: tensor([samples, ...model.input], () => draw() - 0.5),
    Y: tensor([samples, classes], target),
    ...Object.fromEntries(masks),
  };
}

function tensor(dims: readonly number[], value: (at: number) => number): GraphTensor {
  const length = elementCount(dims);
  return { dims, elements: Float32Array.from({ length }, (_, at) => value(at)) };
}

/** Largest difference, of the largest element. */
function apart(actual: Float32Array = new Float32Array(), expected: Float32Array = new Float32Array()): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
  return expected.reduce((worst, value, at) => Math.max(worst, Math.abs(value - actual[at]!)), 0) / largest;
}
