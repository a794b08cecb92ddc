import {
  dropoutShapes,
  elementCount,
  initialWeights,
  type Model,
  outputCount,
  parameters,
  type Random,
  seededRandom,
} from '@muster/shared';
import type { FloatTensor, FloatTensors } from './run-graph.ts';

export interface StepOptions {
  readonly samples: number;
  readonly seed: number;
  /** 'patches': blocks of one value on a constant background, so that maxima tie; 'random': noise. */
  readonly picture?: 'random' | 'patches';
}

/** Inputs of a training step, the same for a seed. */
export function stepInputs(model: Model, { samples, seed, picture = 'random' }: StepOptions): FloatTensors {
  const random = seededRandom(seed);
  const noise = (dims: readonly number[]): FloatTensor => fill([samples, ...dims], () => 2 * random() - 1);
  const X = picture === 'random' ? noise(model.input) : patches([samples, ...model.input], random);
  const Y = model.loss === 'crossEntropy' ? oneHot(samples, outputCount(model), random) : noise([outputCount(model)]);
  const masks = dropoutShapes(model).map((shape, k): [string, FloatTensor] => [
    `mask:${k}`,
    fill([samples, ...shape], () => (random() < 0.25 ? 0 : 1 / 0.75)),
  ]);
  return { weights: shakenWeights(model, seed), X, Y, ...Object.fromEntries(masks) };
}

export const fill = (dims: readonly number[], value: () => number): FloatTensor => ({
  values: Float32Array.from({ length: elementCount(dims) }, value),
  dims,
});

/** Initial weights with biases and scales moved off 0 and 1, where mistakes would hide. */
function shakenWeights(model: Model, seed: number): FloatTensor {
  const values = initialWeights(model, seed);
  const random = seededRandom(seed + 1);
  for (const { kind, offset, shape } of parameters(model)) {
    if (kind === 'weight') continue;
    for (let i = 0; i < elementCount(shape); i++) values[offset + i]! += 0.4 * random() - 0.2;
  }
  return { values, dims: [values.length] };
}

function oneHot(samples: number, classes: number, random: Random): FloatTensor {
  const values = new Float32Array(samples * classes);
  for (let i = 0; i < samples; i++) values[i * classes + Math.floor(random() * classes)] = 1;
  return { values, dims: [samples, classes] };
}

/** Four levels in blocks of 4 x 4 (of 4 values where there are no images), half of them background. */
function patches(dims: readonly number[], random: Random): FloatTensor {
  const [width = 1, height = 1] = dims.toReversed();
  const blocks = Array.from({ length: elementCount(dims) }, () => Math.max(0, Math.floor(6 * random()) - 2) / 3);
  const block = (i: number): number => {
    const [column, row, plane] = [i % width, Math.floor(i / width) % height, Math.floor(i / (width * height))];
    return blocks[(plane * height + (row >> 2)) * width + (column >> 2)] ?? 0;
  };
  return { values: Float32Array.from({ length: elementCount(dims) }, (_, i) => block(i)), dims };
}
