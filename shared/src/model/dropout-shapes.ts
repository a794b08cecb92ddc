import type { Model } from './description.ts';
import { placeLayers, type PlacedLayer, type Shape } from './place-layers.ts';

/** Shape of one sample at each dropout layer: what the inputs `mask:0`, `mask:1`, ... of a training step hold for a sample. */
export const dropoutShapes = (model: Model): Shape[] => shapesIn(placeLayers(model.layers, model.input));

const shapesIn = (layers: readonly PlacedLayer[]): Shape[] =>
  layers.flatMap(({ layer, input, inner }) => (layer.type === 'dropout' ? [input] : shapesIn(inner)));
