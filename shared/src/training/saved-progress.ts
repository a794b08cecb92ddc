import { z } from 'zod';

/** A run's loss is a mean over the samples of this many steps, or of an epoch if that has fewer, in whole rounds. */
export const PROGRESS_WINDOW = 100;

const count = z.number().int().nonnegative();
const totals = z.object({ samples: count, correct: count, loss: z.number() });

/** The part of a run's history that a checkpoint keeps. */
const savedProgress = z.object({
  latest: z.array(totals).max(PROGRESS_WINDOW),
  test: totals.nullable(),
  samplesPerSecond: z.number(),
  computeMs: z.number(),
  transferMs: z.number(),
  aggregateMs: z.number(),
  learningRate: z.number(),
  audited: count,
  disputed: count,
});
export type SavedProgress = z.infer<typeof savedProgress>;

/** Parses `progress` in the metadata of a checkpoint; null if it is missing or invalid. */
export function parseSavedProgress(text: string | undefined): SavedProgress | null {
  try {
    return savedProgress.safeParse(JSON.parse(text ?? 'null')).data ?? null;
  } catch {
    return null;
  }
}
