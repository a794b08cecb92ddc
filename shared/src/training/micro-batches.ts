import type { Model } from '../model/description.ts';
import { placeLayers, type PlacedLayer } from '../model/place-layers.ts';
import { elementCount } from '../tensor/shape.ts';
import { virtualShards } from './batch-cut.ts';
import type { ShardRange } from './batch-cut.ts';

/** Larger micro-batches are not faster. */
const SAMPLES_MAX = 1024;
/** Values of all layers' outputs: a training step keeps about three times as many, 48 MiB. */
const VALUES_MAX = 2 ** 22;

/**
 * The samples [0, samples) in equal parts that are computed one after the other, so that memory is bounded. Depends on model and count
 * alone, so that nodes and head add a shard's sums in the same order.
 */
export const microBatches = (model: Model, samples: number): ShardRange[] =>
  virtualShards(samples, Math.ceil(samples / microBatchMax(model)));

export const microBatchMax = (model: Model): number =>
  Math.max(1, Math.min(SAMPLES_MAX, Math.floor(VALUES_MAX / valuesOfSample(model))));

const valuesOfSample = (model: Model): number =>
  elementCount(model.input) + outputValues(placeLayers(model.layers, model.input));

const outputValues = (layers: readonly PlacedLayer[]): number =>
  layers.reduce((sum, { output, inner }) => sum + elementCount(output) + outputValues(inner), 0);
