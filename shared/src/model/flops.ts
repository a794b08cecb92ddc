import type { Model } from './description.ts';
import { placeLayers, type PlacedLayer } from './place-layers.ts';
import { elementCount } from '../tensor/shape.ts';

const known = new WeakMap<Model, number>();

/**
 * Floating-point operations of a forward pass for one sample: two for each weight of a dense layer, and for each kernel weight at each
 * output position; layers without weights count one for each output value.
 */
export function forwardFlops(model: Model): number {
  const found = known.get(model) ?? sum(placeLayers(model.layers, model.input));
  known.set(model, found);
  return found;
}

const sum = (layers: readonly PlacedLayer[]): number => layers.reduce((total, layer) => total + flopsOf(layer), 0);

function flopsOf({ layer, parameters, output, inner }: PlacedLayer): number {
  const [weight] = parameters;
  if (layer.type === 'residual') return sum(inner) + elementCount(output);
  if (weight === undefined || weight.kind === 'scale') return elementCount(output);
  const places = layer.type === 'conv' ? elementCount(output.slice(1)) : 1;
  return 2 * elementCount(weight.shape) * places;
}
