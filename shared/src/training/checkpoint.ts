import { z } from 'zod';
import { MusterError } from '../errors.ts';
import { bytesOf, elementsOf } from '../tensor/dtype.ts';
import { parseTrainingOptions, type TrainingOptions } from './options.ts';
import type { OptimizerState } from './optimizer.ts';

export const CHECKPOINT_FORMAT = '1';

/** Where a parameter lies in the flat weights; `shape` row-major. */
export interface ParameterPlace {
  readonly name: string;
  readonly shape: readonly number[];
  /** Index of its first value. */
  readonly offset: number;
}

/** Everything that is needed to go on as if nothing had happened, besides the data set. */
export interface Checkpoint {
  readonly weights: Float32Array;
  readonly optimizer: OptimizerState;
  /** Moments of the outer optimizer; empty without local steps. */
  readonly outer: OptimizerState;
  /** Global steps done. */
  readonly step: number;
  /** Epoch of the next step, from 0. */
  readonly epoch: number;
  /** Data cursor: samples of that epoch's order that are used up. */
  readonly cursor: number;
  readonly options: TrainingOptions;
  /** Canonical JSON of the model; two models are the same if this is. */
  readonly model: string;
  /** Of programs, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** A tensor of a safetensors file; `F32` little-endian is the only dtype here. */
export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface StoredCheckpoint {
  /** In the order of writing. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** In front of the names of moments: `muster.optimizer.first.dense.weight`. No parameter may be named so. */
const RESERVED = 'muster.';
const GROUPS = ['optimizer', 'outer'] as const;

/**
 * Names, order and metadata of a checkpoint: each parameter under its own name, so that any reader of safetensors finds the
 * model; then moments, cut up like the weights. Tensors are views of the arrays given, not copies.
 * @throws BAD_DATA for a layout that does not cover the weights or takes a reserved name.
 */
export function checkpointTensors(checkpoint: Checkpoint, layout: readonly ParameterPlace[]): StoredCheckpoint {
  checkLayout(layout, checkpoint.weights.length);
  const tensors = new Map<string, StoredTensor>();
  cut(checkpoint.weights, layout, (name, tensor) => tensors.set(name, tensor));
  for (const group of GROUPS) {
    for (const [moment, values] of Object.entries(checkpoint[group])) {
      const prefix = `${RESERVED}${group}.${moment}`;
      if (values.length !== checkpoint.weights.length) tensors.set(prefix, tensorOf(values, [values.length]));
      else cut(values, layout, (name, tensor) => tensors.set(`${prefix}.${name}`, tensor));
    }
  }
  return { tensors, metadata: metadataOf(checkpoint) };
}

function cut(
  flat: Float32Array,
  layout: readonly ParameterPlace[],
  put: (name: string, tensor: StoredTensor) => void,
): void {
  for (const { name, shape, offset } of layout) {
    put(name, tensorOf(flat.subarray(offset, offset + sizeOf(shape)), shape));
  }
}

const tensorOf = (values: Float32Array, shape: readonly number[]): StoredTensor => ({
  dtype: 'F32',
  shape,
  bytes: bytesOf(values),
});

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

function metadataOf({ step, epoch, cursor, options, model, versions }: Checkpoint): Record<string, string> {
  return {
    format: `muster-checkpoint ${CHECKPOINT_FORMAT}`,
    step: String(step),
    epoch: String(epoch),
    cursor: String(cursor),
    seed: String(options.seed),
    options: JSON.stringify(options),
    model,
    versions: JSON.stringify(versions),
  };
}
