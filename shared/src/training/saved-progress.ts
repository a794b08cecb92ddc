import { z } from 'zod';

/** Steps that the loss of a run is a mean over, or an epoch's where those are fewer; whole rounds, where nodes step alone. */
export const PROGRESS_WINDOW = 100;

const count = z.number().int().nonnegative();
const totals = z.object({ samples: count, correct: count, loss: z.number() });

/** What a checkpoint keeps of a run's history. */
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

/** What the metadata of a checkpoint say under `progress`; null when they do not. */
export function parseSavedProgress(text: string | undefined): SavedProgress | null {
  try {
    return savedProgress.safeParse(JSON.parse(text ?? 'null')).data ?? null;
  } catch {
    return null;
  }
}
