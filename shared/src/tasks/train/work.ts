/** Work of a lease: one shard of a round. */
import { z } from 'zod';
import { isBlockId, type BlockId } from '../../ids.ts';
import { whole } from '../../protocol/numbers.ts';
import { limits } from '../../protocol/limits.ts';
import { sampleLayout } from '../../samples/layout.ts';
import { parseCompression, type Compression } from '../../training/compression.ts';
import { optimizerNames } from '../../training/options.ts';

const sampleCount = whole.max(limits.samplesMax.value);
const share = z.number().min(0).lt(1);
const isBlock = (value: unknown): value is BlockId => typeof value === 'string' && isBlockId(value);
const blockId = z.custom<BlockId>(isBlock);

/** One check for the whole list: a shuffled shard names every block of its set, and 2 us for each are too much in a step of some ms. */
const listOf = <T>(isOne: (value: unknown) => value is T): z.ZodType<T[]> =>
  z.custom<T[]>(
    (value) => Array.isArray(value) && value.length <= limits.sampleBlocksMax.value && value.every((one) => isOne(one)),
  );
const isNumber = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const localSteps = z.object({
  steps: whole.min(1),
  learningRate: z.number(),
  optimizer: z.enum(optimizerNames),
  momentum: share,
  beta1: share,
  beta2: share,
  epsilon: z.number().positive(),
  weightDecay: z.number().nonnegative(),
  /** Largest norm of a step's mean gradient; 0: never clipped. */
  clipNorm: z.number().nonnegative(),
});

const fields = z.object({
  kind: z.enum(['gradient', 'evaluate']),
  /** JSON of the model, and its weights: float32 little-endian in the order of its parameters. */
  model: blockId,
  weights: blockId,
  layout: sampleLayout,
  /** Samples of the whole set. */
  samples: sampleCount,
  /** Seed of the sample order and of dropout. */
  seed: whole,
  epoch: whole,
  step: whole,
  /** Positions [from, to) in the order of the epoch; for `evaluate` sample numbers. */
  from: sampleCount,
  to: sampleCount,
  /** Numbers of the set's blocks that these samples are in, ascending, and their ids. */
  numbers: listOf(isNumber),
  blocks: listOf(isBlock),
  compression: z.custom<Compression>((value) => parseCompression(value) !== undefined),
  /** Is the compression residual kept for the next shard of this task? */
  keepsResidual: z.boolean(),
  /**
   * Number of this node's latest shard that arrived in time: only the residual that one left goes into this shard; 0: none. Null: the
   * residual is used as it is.
   */
  taken: whole.max(2 ** 32 - 1).nullable(),
  /** Must all nodes of one kind compute the same bits? */
  deterministic: z.boolean(),
  /** Steps that the node makes alone, each over an equal part of the shard; null for a plain gradient. */
  local: localSteps.nullable(),
});

/**
 * Result: a shard result (training/shard-result.ts): sum of losses, right answers, samples, and for `gradient` the encoded sum of
 * gradients over the shard, or with `local` the change of the weights.
 */
export const trainWork = fields
  .refine(({ from, to, samples }) => from <= to && to <= samples, 'its samples are not in the set')
  .refine(({ numbers, blocks }) => numbers.length === blocks.length, 'its blocks are not numbered')
  .refine(({ local, samples }) => local === null || local.steps <= samples, 'it has more steps than samples');

export type TrainWork = z.infer<typeof trainWork>;
