import { parseModel, presetModel, type Model } from '@muster/shared';

export const mlp = presetModel('mlp', { input: [1, 28, 28], classes: 10 });
export const lenet = presetModel('lenet', { input: [1, 28, 28], classes: 10 });

const image = [2, 9, 12];
const head = [{ type: 'flatten' }, { type: 'dense', units: 4 }];
/** A layer behind one with weights, so that its input has a gradient, and before a head. */
const behindConv = (...layers: object[]): Model =>
  parseModel({
    name: 'image',
    input: image,
    layers: [{ type: 'conv', filters: 3, kernel: 3, padding: 'same' }, ...layers, ...head],
    loss: 'crossEntropy',
  });
const behindDense = (...layers: object[]): Model =>
  parseModel({
    name: 'vector',
    input: [6],
    layers: [{ type: 'dense', units: 8 }, ...layers, { type: 'dense', units: 3 }],
    loss: 'crossEntropy',
  });
const conv = { type: 'conv', filters: 5, kernel: 3 };

/** Every layer with every kind of option, each in a network of its own. */
export const pieces: Record<string, Model> = {
  dense: behindDense({ type: 'dense', units: 5, bias: false }),
  'mean squared error': parseModel({
    name: 'regression',
    input: [6],
    layers: [{ type: 'dense', units: 5 }, { type: 'tanh' }, { type: 'dense', units: 3 }],
    loss: 'meanSquaredError',
  }),
  conv: behindConv(conv),
  'conv without bias': behindConv({ ...conv, bias: false }),
  'conv, padded by 2': behindConv({ ...conv, padding: 2 }),
  'conv, padded by more than the kernel': behindConv({ ...conv, kernel: 1, padding: 2 }),
  'conv, stride 2, no row and a column left over': behindConv({ ...conv, stride: 2, padding: 1 }),
  'conv, stride 3 over a kernel of 2': behindConv({ ...conv, kernel: 2, stride: 3 }),
  'conv, even kernel, same': behindConv({ ...conv, kernel: 4, padding: 'same' }),
  'conv, stride 2, same': behindConv({ ...conv, stride: 2, padding: 'same' }),
  'conv, kernel 1, stride 2, same': behindConv({ ...conv, kernel: 1, stride: 2, padding: 'same' }),
  'maxPool, tiles': behindConv({ type: 'maxPool', size: 3 }),
  'maxPool, rest': behindConv({ type: 'maxPool', size: 2 }),
  'maxPool, overlapping': behindConv({ type: 'maxPool', size: 3, stride: 2 }),
  'maxPool, gaps': behindConv({ type: 'maxPool', size: 2, stride: 3 }),
  'averagePool, tiles and a rest': behindConv({ type: 'averagePool', size: 2 }),
  'averagePool, overlapping': behindConv({ type: 'averagePool', size: 3, stride: 1 }),
  'averagePool, gaps': behindConv({ type: 'averagePool', size: 2, stride: 3 }),
  globalAveragePool: behindConv({ type: 'globalAveragePool' }),
  relu: behindDense({ type: 'relu' }),
  gelu: behindDense({ type: 'gelu' }),
  sigmoid: behindDense({ type: 'sigmoid' }),
  tanh: behindDense({ type: 'tanh' }),
  'layerNorm of features': behindDense({ type: 'layerNorm' }),
  'layerNorm of an image': behindConv({ type: 'layerNorm' }),
  dropout: behindDense({ type: 'dropout', rate: 0.25 }),
  residual: behindDense({ type: 'residual', layers: [{ type: 'dense', units: 8 }, { type: 'relu' }] }),
  'residual within residual': behindDense({
    type: 'residual',
    layers: [{ type: 'tanh' }, { type: 'residual', layers: [{ type: 'dense', units: 8 }] }],
  }),
  'residual around a flatten that does nothing': behindDense({ type: 'residual', layers: [{ type: 'flatten' }] }),
  'a layer without weights first': parseModel({
    name: 'pooled first',
    input: image,
    layers: [{ type: 'maxPool', size: 2 }, { type: 'relu' }, ...head],
    loss: 'crossEntropy',
  }),
};

/** All layers in one network. */
export const everything = parseModel({
  name: 'everything',
  input: [3, 12, 12],
  layers: [
    { type: 'conv', filters: 6, kernel: 3, padding: 'same' },
    { type: 'layerNorm' },
    { type: 'relu' },
    {
      type: 'residual',
      layers: [
        { type: 'conv', filters: 6, kernel: 3, padding: 1, bias: false },
        { type: 'gelu' },
        { type: 'dropout', rate: 0.25 },
      ],
    },
    { type: 'maxPool', size: 2 },
    { type: 'conv', filters: 16, kernel: 3, padding: 1 },
    { type: 'relu' },
    { type: 'maxPool', size: 3, stride: 2 },
    { type: 'globalAveragePool' },
    { type: 'residual', layers: [{ type: 'dense', units: 8 }, { type: 'sigmoid' }, { type: 'dense', units: 16 }] },
    { type: 'dropout', rate: 0.25 },
    { type: 'tanh' },
    { type: 'dense', units: 5 },
  ],
  loss: 'crossEntropy',
});
