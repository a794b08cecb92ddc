import { describe, expect, test } from '@jest/globals';
import { isMusterError, limits, parameterCount, parseModel, type Model } from '@muster/shared';

const base = { name: 'net', input: [1, 8, 8], loss: 'crossEntropy' };
const dense = { type: 'dense', units: 3 };
const flatten = { type: 'flatten' };
const withLayers = (...layers: unknown[]): unknown => ({ ...base, layers });

/** Code and message of the refusal. */
function refusal(json: unknown): string {
  try {
    parseModel(json);
  } catch (error) {
    if (isMusterError(error)) return `${error.code}: ${error.message}: ${error.why}`;
    throw error;
  }
  throw new Error('the model was accepted');
}

/** `levels` residuals, one in the other. */
const nested = (levels: number): unknown =>
  Array.from({ length: levels }).reduce((inner) => ({ type: 'residual', layers: [inner] }), {
    type: 'relu',
  } as unknown);

describe('parseModel', () => {
  test('fills in the defaults and accepts what it gave', () => {
    const model = parseModel(withLayers({ type: 'conv', filters: 2, kernel: 3 }, flatten, dense));
    expect(model.layers).toEqual([
      { type: 'conv', filters: 2, kernel: 3, stride: 1, padding: 0, bias: true },
      flatten,
      { ...dense, bias: true },
    ]);
    expect(parseModel(JSON.parse(JSON.stringify(model)))).toEqual(model);
  });

  test.each<[string, unknown, string]>([
    ['no object', 7, 'BAD_MODEL: the model description is not valid'],
    ['no layers', withLayers(), 'BAD_MODEL: the model description is not valid: layers: '],
    ['two dimensions', { ...base, input: [3, 4], layers: [dense] }, 'input: it must be [features] or [channels, '],
    ['a field that does not exist', withLayers({ ...dense, unit: 3 }), 'BAD_MODEL: layers.0 (dense) is not valid'],
    [
      'a field of the wrong type',
      withLayers(flatten, { ...dense, units: '3' }),
      'layers.1 (dense) is not valid: units: ',
    ],
    ['a layer that does not exist', withLayers({ type: 'lstm' }), 'BAD_MODEL: layers.0 (lstm) is not valid: type: '],
    ['padding in words', withLayers({ type: 'conv', filters: 1, kernel: 1, padding: 'valid' }), 'padding: it must be'],
    [
      'a bad field in a residual',
      withLayers(flatten, { type: 'residual', layers: [{ type: 'dropout', rate: 1 }] }),
      'layers.1.layers.0 (dropout) is not valid: rate: ',
    ],
    [
      'dense on an image',
      withLayers(dense),
      'layers.0 (dense) does not fit its input: the input is [1, 8, 8]; it takes one',
    ],
    [
      'conv on a vector',
      withLayers(flatten, { type: 'conv', filters: 1, kernel: 1 }),
      'layers.1 (conv) does not fit its',
    ],
    [
      'pool on a vector',
      withLayers(flatten, { type: 'maxPool', size: 2 }),
      'layers.1 (maxPool) does not fit its input',
    ],
    [
      'a window too large',
      withLayers({ type: 'averagePool', size: 9 }),
      'layers.0 (averagePool) does not fit its input',
    ],
    [
      'a residual that changes the shape',
      withLayers(flatten, { type: 'residual', layers: [dense] }),
      'layers.1 (residual) does not fit its input: the input is [64]; its layers give [3], which cannot be added',
    ],
    [
      'an image at the end',
      withLayers({ type: 'conv', filters: 1, kernel: 1 }),
      'BAD_MODEL: the output of layers.0 (conv)',
    ],
    ['nothing to train', withLayers(flatten), 'BAD_MODEL: the model has nothing to train'],
    [
      'too many parameters',
      { ...base, input: [65_536], layers: [{ ...dense, units: 2000 }] },
      'TOO_LARGE: the model is',
    ],
    [
      'too many values',
      withLayers({ type: 'conv', filters: 65_536, kernel: 1, padding: 8 }),
      'TOO_LARGE: the output of',
    ],
    [
      'dimensions whose product is no integer',
      { ...base, input: [65_536, 65_536, 65_536], layers: [flatten] },
      'TOO_LARGE',
    ],
    ['too many layers', withLayers(...Array.from({ length: 513 }, () => flatten)), 'TOO_LARGE: the model is too large'],
    [
      'layers too deep',
      withLayers(flatten, nested(8), dense),
      'TOO_LARGE: the model is too large: it has 9 levels or more',
    ],
    ['layers too deep for any stack', withLayers(nested(100_000)), 'TOO_LARGE: the model is too large'],
  ])('refuses %s', (_, json, text) => {
    expect(refusal(json)).toContain(text);
  });

  test('takes what lies at the limits', () => {
    const deepest = parseModel(withLayers(flatten, nested(limits.modelDepthMax.value - 1), dense));
    expect(parameterCount(deepest)).toBe(64 * 3 + 3);
    const relus = Array.from({ length: limits.modelLayersMax.value - 2 }, () => ({ type: 'relu' }));
    expect(parseModel(withLayers(flatten, ...relus, dense)).layers).toHaveLength(limits.modelLayersMax.value);
    const largest: Model = parseModel({
      ...base,
      input: [65_536],
      layers: [{ type: 'dense', units: 1024, bias: false }],
    });
    expect(parameterCount(largest)).toBe(limits.modelParametersMax.value);
  });
});
