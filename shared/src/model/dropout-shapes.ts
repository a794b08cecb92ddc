import type { Model } from './description.ts';
import { placeLayers, type PlacedLayer } from './place-layers.ts';
import { type Shape } from '../tensor/shape.ts';

export interface Dropout {
  /** Shape for one sample. */
  readonly shape: Shape;
  /** The share of values that is dropped. */
  readonly rate: number;
}

/** The dropout layers of a model, in the order of the inputs `mask:0`, `mask:1`, ... of a training step. */
export const dropouts = (model: Model): Dropout[] => dropoutsIn(placeLayers(model.layers, model.input));

/** Shape of one sample at each dropout layer: what the inputs `mask:0`, `mask:1`, ... of a training step hold for a sample. */
export const dropoutShapes = (model: Model): Shape[] => dropouts(model).map(({ shape }) => shape);

const dropoutsIn = (layers: readonly PlacedLayer[]): Dropout[] =>
  layers.flatMap(({ layer, input, inner }) =>
    layer.type === 'dropout' ? [{ shape: input, rate: layer.rate }] : dropoutsIn(inner),
  );
