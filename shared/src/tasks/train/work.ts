/** What a provider is told about one shard of a round. */
import { z } from 'zod';
import { isBlockId, type BlockId } from '../../ids.ts';
import { limits } from '../../protocol/limits.ts';
import { sampleLayout } from '../../samples/layout.ts';
import { parseCompression, type Compression } from '../../training/compression.ts';

const whole = z.number().int().nonnegative();
const blockId = z.custom<BlockId>((value) => typeof value === 'string' && isBlockId(value));

/**
 * Result: a shard result (training/shard-result.ts): sum of losses, right answers, samples, and for `gradient` the encoded sum of
 * gradients over the shard, or with `local` the change of the weights.
 */
export const trainWork = z.object({
  kind: z.enum(['gradient', 'evaluate']),
  /** JSON of the model, and its weights: float32 little-endian in the order of its parameters. */
  model: blockId,
  weights: blockId,
  layout: sampleLayout,
  /** Samples of the whole set. */
  samples: whole,
  /** Of the order of samples and of dropout. */
  seed: whole,
  epoch: whole,
  step: whole,
  /** Positions [from, to) in the order of the epoch; for `evaluate` sample numbers. */
  from: whole,
  to: whole,
  /** Numbers of the set's blocks that these samples are in, ascending, and their ids. */
  numbers: z.array(whole).max(limits.sampleBlocksMax.value),
  blocks: z.array(blockId).max(limits.sampleBlocksMax.value),
  compression: z.custom<Compression>((value) => parseCompression(value) !== undefined),
  /** Is what compression loses kept for the next shard of this task? */
  keepsResidual: z.boolean(),
  /** Steps that the node makes alone, each over an equal part of the shard; null for a plain gradient. */
  local: z.object({ steps: whole.min(1), learningRate: z.number(), momentum: z.number() }).nullable(),
});

export type TrainWork = z.infer<typeof trainWork>;
