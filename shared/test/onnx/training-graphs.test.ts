import { describe, expect, test } from '@jest/globals';
import { exportModel, parameterCount, parseModel, presetModel, readOnnx, trainingStep } from '@muster/shared';

const mlp = presetModel('mlp', { input: [1, 28, 28], classes: 10 });

describe('training graphs', () => {
  test('name their inputs, masks in the order of the dropout layers', () => {
    const dropout = { type: 'dropout', rate: 0.5 };
    const layers = [
      dropout,
      { type: 'dense', units: 4 },
      { type: 'residual', layers: [dropout] },
      { type: 'dense', units: 2 },
    ];
    const model = parseModel({ name: 'net', input: [3], layers, loss: 'crossEntropy' });
    const { inputs, outputs } = readOnnx(trainingStep(model, { device: 'cpu' }));
    expect(inputs.map(({ name, dims }) => [name, dims])).toEqual([
      ['weights', [26]],
      ['X', ['N', 3]],
      ['Y', ['N', 2]],
      ['mask:0', ['N', 3]],
      ['mask:1', ['N', 4]],
    ]);
    expect(outputs.map(({ name, dims }) => [name, dims])).toEqual([
      ['loss', [1]],
      ['correct', [1]],
      ['gradient', [26]],
    ]);
  });

  test('are the same bytes each time, a few kilobytes', () => {
    const bytes = trainingStep(mlp, { device: 'gpu' });
    expect(bytes).toEqual(trainingStep(mlp, { device: 'gpu' }));
    expect(bytes.byteLength).toBeLessThan(8192);
  });

  test('take no weights of another model', () => {
    const weights = new Float32Array(parameterCount(mlp) - 1);
    expect(() => exportModel(mlp, weights)).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
  });

  test('can hold 100 MB of weights', () => {
    const layers = [{ type: 'dense', units: 400, bias: false }];
    const model = parseModel({ name: 'wide', input: [65_536], layers, loss: 'crossEntropy' });
    const weights = new Float32Array(parameterCount(model)).fill(1);
    const bytes = exportModel(model, weights);
    expect(bytes.byteLength).toBeGreaterThan(weights.byteLength);
    expect(readOnnx(bytes).nodeCount).toBe(layers.length + 1);
  });
});
