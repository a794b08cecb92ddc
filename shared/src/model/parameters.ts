import type { Model } from './description.ts';
import { placeLayers, type LayerParameter, type PlacedLayer } from './place-layers.ts';
import { elementCount } from '../tensor/shape.ts';

/** One tensor of a model's weights and where it lies in the flat vector that holds them all. */
export interface Parameter extends Omit<LayerParameter, 'role'> {
  /** As PyTorch would name it: `layers.0.weight`. */
  readonly name: string;
  /** Dense weights are [inputs, units], conv weights [filters, channels, kernel, kernel], row by row. */
  readonly shape: readonly number[];
  /** Elements before it in the flat vector. */
  readonly offset: number;
}

/** In the order of the layers, weight before bias, without gaps. */
export function parameters(model: Model): Parameter[] {
  let offset = 0;
  return parametersOf(placeLayers(model.layers, model.input)).map(({ name, shape, fanIn, kind }) => {
    const parameter = { name, shape, offset, fanIn, kind };
    offset += elementCount(shape);
    return parameter;
  });
}

/** Length of the flat vector. */
export const parameterCount = (model: Model): number =>
  parameters(model).reduce((sum, { shape }) => sum + elementCount(shape), 0);

const parametersOf = (layers: readonly PlacedLayer[]): (LayerParameter & { name: string })[] =>
  layers.flatMap(({ name, parameters: own, inner }) => [
    ...own.map((parameter) => ({ ...parameter, name: `${name}.${parameter.role}` })),
    ...parametersOf(inner),
  ]);
