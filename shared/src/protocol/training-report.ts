/** Progress of a training run: part of the task's status, and what `--json` prints of it. */
import { z } from 'zod';
import { nonNegative, whole } from './numbers.ts';

const share = z.number().min(0).max(1);

/** Mean times of an optimizer step in ms, as seen by the head; where nodes step alone, a round divided by its steps. */
export const stepSplit = z.object({
  /** The longest computation among the nodes. */
  computeMs: nonNegative,
  /** From the end of the longest computation to the last gradient, plus sending the weights. */
  transferMs: nonNegative,
  /** Checks and sum of the gradients, and the optimizer. */
  aggregateMs: nonNegative,
});
export type StepSplit = z.infer<typeof stepSplit>;

export const trainingReport = z.object({
  /** Optimizer steps done, and in total. */
  step: whole,
  steps: whole,
  epoch: whole,
  epochs: whole,
  /** Mean loss of a sample over the latest steps, at most an epoch's; null before the first. */
  loss: z.number().nullable(),
  /** Share of right answers over the same steps, null for a regression. */
  trainAccuracy: share.nullable(),
  /** On the test set after the latest epoch. */
  testAccuracy: share.nullable(),
  testLoss: z.number().nullable(),
  learningRate: nonNegative,
  samplesPerSecond: nonNegative,
  split: stepSplit,
  /** Shards that arrived after their step, that the head recomputed, and that were found wrong. */
  late: whole,
  audited: whole,
  disputed: whole,
  /** Step of the checkpoint that a restart would resume from, and the size of its file. */
  checkpointStep: whole,
  checkpointBytes: whole,
  /** SHA-256 of the weights, float32 little-endian in the order of the model's parameters; '' before the end. */
  weightsSha256: z.string(),
});
export type TrainingReport = z.infer<typeof trainingReport>;
