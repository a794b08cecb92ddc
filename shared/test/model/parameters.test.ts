import { describe, expect, test } from '@jest/globals';
import {
  dropoutShapes,
  initialWeights,
  outputCount,
  parameterCount,
  parameters,
  parseModel,
  presetModel,
} from '@muster/shared';

const model = parseModel({
  name: 'net',
  input: [2, 5, 4],
  layers: [
    { type: 'conv', filters: 3, kernel: 3, stride: 2, padding: 'same' },
    { type: 'layerNorm' },
    { type: 'dropout', rate: 0.5 },
    { type: 'flatten' },
    {
      type: 'residual',
      layers: [
        { type: 'dense', units: 18 },
        { type: 'dropout', rate: 0.1 },
      ],
    },
    { type: 'dense', units: 4, bias: false },
  ],
  loss: 'meanSquaredError',
});

describe('parameters', () => {
  test('lie one after the other in the flat vector', () => {
    expect(parameters(model)).toEqual([
      { name: 'layers.0.weight', kind: 'weight', shape: [3, 2, 3, 3], offset: 0, fanIn: 18 },
      { name: 'layers.0.bias', kind: 'bias', shape: [3], offset: 54, fanIn: 18 },
      { name: 'layers.1.weight', kind: 'scale', shape: [3, 3, 2], offset: 57, fanIn: 1 },
      { name: 'layers.1.bias', kind: 'bias', shape: [3, 3, 2], offset: 75, fanIn: 1 },
      { name: 'layers.4.layers.0.weight', kind: 'weight', shape: [18, 18], offset: 93, fanIn: 18 },
      { name: 'layers.4.layers.0.bias', kind: 'bias', shape: [18], offset: 417, fanIn: 18 },
      { name: 'layers.5.weight', kind: 'weight', shape: [18, 4], offset: 435, fanIn: 18 },
    ]);
    expect(parameterCount(model)).toBe(435 + 72);
  });

  test('of the presets are as many as of the networks that they are named after', () => {
    const sizes = { input: [1, 28, 28], classes: 10 };
    expect(parameterCount(presetModel('mlp', sizes))).toBe(235_146);
    expect(parameterCount(presetModel('lenet', sizes))).toBe(61_706);
    expect(outputCount(presetModel('lenet', { input: [3, 32, 32], classes: 7 }))).toBe(7);
    expect(() => presetModel('lenet', { input: [1, 8, 8], classes: 10 })).toThrow(
      'layers.3 (conv) does not fit its input',
    );
  });

  test('of dropout layers are masks in their order, those inside residuals too', () => {
    expect(dropoutShapes(model)).toEqual([[3, 3, 2], [18]]);
  });
});

describe('initial weights', () => {
  const weightsOf = (name: string, seed: number, of = model): Float32Array => {
    const found = parameters(of).find((parameter) => parameter.name === name);
    const count = found?.shape.reduce((product, dim) => product * dim, 1) ?? 0;
    return initialWeights(of, seed).subarray(found?.offset, (found?.offset ?? 0) + count);
  };

  /** Computed by a Python program of its own. */
  test('are the same bits on every machine', () => {
    const bits = new Uint32Array(initialWeights(presetModel('lenet', { input: [1, 28, 28], classes: 10 }), 42).buffer);
    expect(Array.from(bits.subarray(0, 4), (word) => word.toString(16))).toEqual([
      '3dcae084',
      'bd4f85c9',
      '3eb0d100',
      '3e2a4bc9',
    ]);
    expect(bits.reduce((sum, word) => (Math.imul(sum, 31) + word) >>> 0, 0)).toBe(256480976);
  });

  test('are uniform within the bound of their fan-in, biases 0 and scales 1', () => {
    const weights = weightsOf('layers.4.layers.0.weight', 1);
    const bound = Math.sqrt(3 / 18);
    const variance = weights.reduce((sum, value) => sum + value * value, 0) / weights.length;
    expect(Math.max(...weights.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(variance * 18).toBeCloseTo(1, 0);
    expect(new Set(weightsOf('layers.1.weight', 1))).toEqual(new Set([1]));
    expect(new Set(weightsOf('layers.1.bias', 1))).toEqual(new Set([0]));
    expect(weights).not.toEqual(weightsOf('layers.4.layers.0.weight', 2));
  });

  test('have twice the variance in networks with ReLU', () => {
    const weights = weightsOf('layers.1.weight', 3, presetModel('mlp', { input: [1, 28, 28], classes: 10 }));
    const variance = weights.reduce((sum, value) => sum + value * value, 0) / weights.length;
    expect(variance * 784).toBeCloseTo(2, 1);
  });
});
