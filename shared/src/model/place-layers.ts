import { MusterError } from '../errors.ts';
import { limits } from '../protocol/limits.ts';
import type { ConvLayer, DenseLayer, Layer, PoolLayer, ResidualLayer } from './description.ts';
import { elementCount, type Shape } from '../tensor/shape.ts';
import { convWindow, poolWindow, windowsOver } from './windows.ts';

export interface LayerParameter {
  readonly role: 'weight' | 'bias';
  readonly kind: 'weight' | 'bias' | 'scale';
  readonly shape: Shape;
  /** Number of inputs that one output of the layer sums over. */
  readonly fanIn: number;
}

/** A layer with its position, and the shapes that follow from the layers before it. */
export interface PlacedLayer {
  /** As in the names of its parameters: `layers.3`, inside a residual `layers.3.layers.0`. */
  readonly name: string;
  readonly layer: Layer;
  /** Shape of one sample: [features] or [channels, height, width]. */
  readonly input: Shape;
  readonly output: Shape;
  readonly parameters: readonly LayerParameter[];
  /** The layers of a residual. */
  readonly inner: readonly PlacedLayer[];
}

type Place = Pick<PlacedLayer, 'name' | 'input'>;
type Fitted = Pick<PlacedLayer, 'output'> & Partial<Pick<PlacedLayer, 'parameters' | 'inner'>>;

/** @throws MusterError BAD_MODEL where a layer does not fit its input, TOO_LARGE where its output is beyond a limit */
export function placeLayers(layers: readonly Layer[], input: Shape, prefix = ''): PlacedLayer[] {
  const placed: PlacedLayer[] = [];
  for (const [index, layer] of layers.entries()) {
    const place = { name: `${prefix}layers.${index}`, input: placed.at(-1)?.output ?? input };
    const fitted = fit(layer, place);
    checkSize(`the output of ${place.name} (${layer.type})`, elementCount(fitted.output));
    placed.push({ parameters: [], inner: [], ...place, layer, ...fitted });
  }
  return placed;
}

function fit(layer: Layer, place: Place): Fitted {
  switch (layer.type) {
    case 'dense':
      return fitDense(layer, place);
    case 'conv':
      return fitConv(layer, place);
    case 'maxPool':
    case 'averagePool':
      return fitPool(layer, place);
    case 'globalAveragePool':
      return { output: image(layer, place).slice(0, 1) };
    case 'flatten':
      return { output: [elementCount(place.input)] };
    case 'layerNorm':
      return { output: place.input, parameters: norm(place.input) };
    case 'relu':
    case 'gelu':
    case 'sigmoid':
    case 'tanh':
    case 'dropout':
      return { output: place.input };
    case 'residual':
      return fitResidual(layer, place);
    default:
      return layer satisfies never;
  }
}

function fitDense(layer: DenseLayer, place: Place): Fitted {
  const [features = 0, ...more] = place.input;
  if (more.length > 0) {
    throw misfit(layer, place, { why: 'it takes one dimension', fix: 'put {"type":"flatten"} before it' });
  }
  return { output: [layer.units], parameters: affine([features, layer.units], features, layer) };
}

function fitConv(layer: ConvLayer, place: Place): Fitted {
  const [channels = 0] = image(layer, place);
  const { filters, kernel } = layer;
  const output = [filters, ...windowCounts(layer, place)];
  return { output, parameters: affine([filters, channels, kernel, kernel], channels * kernel * kernel, layer) };
}

function fitPool(layer: PoolLayer, place: Place): Fitted {
  const [channels = 0] = image(layer, place);
  return { output: [channels, ...windowCounts(layer, place)] };
}

function fitResidual(layer: ResidualLayer, place: Place): Fitted {
  const inner = placeLayers(layer.layers, place.input, `${place.name}.`);
  const output = inner.at(-1)?.output ?? place.input;
  if (shapeText(output) !== shapeText(place.input)) {
    throw misfit(layer, place, {
      why: `its layers give ${shapeText(output)}, which cannot be added to that`,
      fix: 'let its layers keep the shape, with "padding":"same" or as many units as there are inputs',
    });
  }
  return { output, inner };
}

/** Weight and bias of a layer with `units` or `filters`. */
function affine(shape: Shape, fanIn: number, layer: DenseLayer | ConvLayer): LayerParameter[] {
  const weight: LayerParameter = { role: 'weight', kind: 'weight', shape, fanIn };
  const outputs = layer.type === 'dense' ? layer.units : layer.filters;
  return layer.bias ? [weight, { role: 'bias', kind: 'bias', shape: [outputs], fanIn }] : [weight];
}

const norm = (shape: Shape): LayerParameter[] => [
  { role: 'weight', kind: 'scale', shape, fanIn: 1 },
  { role: 'bias', kind: 'bias', shape, fanIn: 1 },
];

function image(layer: Layer, place: Place): Shape {
  if (place.input.length === 3) return place.input;
  throw misfit(layer, place, {
    why: 'it takes [channels, height, width]',
    fix: 'put it before the flatten, dense or globalAveragePool layer',
  });
}

function windowCounts(layer: ConvLayer | PoolLayer, place: Place): Shape {
  const window = layer.type === 'conv' ? convWindow(layer) : poolWindow(layer);
  const counts = windowsOver(place.input, window).map(({ count }) => count);
  if (counts.every((count) => count > 0)) return counts;
  throw misfit(layer, place, {
    why: `its window is ${window.size} x ${window.size}`,
    fix: 'make the window smaller or the padding larger',
  });
}

const misfit = ({ type }: Layer, { name, input }: Place, { why, fix }: { why: string; fix: string }): MusterError =>
  new MusterError('BAD_MODEL', `${name} (${type}) does not fit its input`, {
    why: `the input is ${shapeText(input)}; ${why}`,
    fix,
  });

export const shapeText = (shape: Shape): string => `[${shape.join(', ')}]`;

function checkSize(what: string, values: number): void {
  const { value } = limits.modelValuesMax;
  if (values <= value) return;
  throw new MusterError('TOO_LARGE', `${what} is too large`, {
    why: `${values} values for one sample, the limit is ${value}`,
    fix: 'use smaller images, fewer filters or a larger stride',
  });
}
