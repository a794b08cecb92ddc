/** How a training run stands: part of the task's status, and what `--json` prints of it. */
import { z } from 'zod';
import { nonNegative, whole } from './numbers.ts';

const share = z.number().min(0).max(1);

/** Mean times of an optimizer step in ms, as the head saw them; of nodes that step alone an equal part of a round. */
export const stepSplit = z.object({
  /** The longest computation among the nodes. */
  computeMs: nonNegative,
  /** From the longest computation to the last gradient, and the way of the weights. */
  transferMs: nonNegative,
  /** Checks and sum of the gradients, and the optimizer. */
  aggregateMs: nonNegative,
});
export type StepSplit = z.infer<typeof stepSplit>;

export const trainingReport = z.object({
  /** Optimizer steps done, of how many. */
  step: whole,
  steps: whole,
  epoch: whole,
  epochs: whole,
  /** Mean loss of a sample over the latest steps, at most an epoch's; null before the first. */
  loss: z.number().nullable(),
  /** Share of right answers over the same steps, null for a regression. */
  trainAccuracy: share.nullable(),
  /** Of the test set after the latest epoch. */
  testAccuracy: share.nullable(),
  testLoss: z.number().nullable(),
  learningRate: nonNegative,
  samplesPerSecond: nonNegative,
  split: stepSplit,
  /** Shards that came after their step, were recomputed by the head, were found wrong. */
  late: whole,
  audited: whole,
  disputed: whole,
  /** The step of the checkpoint that a restart would begin with; its file's length. */
  checkpointStep: whole,
  checkpointBytes: whole,
  /** SHA-256 of the weights, float32 little-endian in the order of the model's parameters; '' before the end. */
  weightsSha256: z.string(),
});
export type TrainingReport = z.infer<typeof trainingReport>;
