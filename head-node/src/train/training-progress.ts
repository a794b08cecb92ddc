import { PROGRESS_WINDOW, type SavedProgress, type StepSplit, type TrainingReport } from '@muster/shared';
import type { ShardTotals } from './round-sums.ts';

/** Of the latest round in a moving average. */
const WEIGHT = 0.1;

const nothingYet: SavedProgress = {
  latest: [],
  test: null,
  samplesPerSecond: 0,
  computeMs: 0,
  transferMs: 0,
  aggregateMs: 0,
  learningRate: 0,
  audited: 0,
  disputed: 0,
};

export interface RoundTimes {
  /** From the opening of the round to that of the next. */
  readonly roundMs: number;
  /** Of it, spent on sums and the optimizer. */
  readonly aggregateMs: number;
}

/** How a run stands, but for where it is and what it has on disk. */
export type ProgressReport = Pick<
  TrainingReport,
  | 'loss'
  | 'trainAccuracy'
  | 'testAccuracy'
  | 'testLoss'
  | 'samplesPerSecond'
  | 'split'
  | 'audited'
  | 'disputed'
  | 'learningRate'
>;

export class TrainingProgress {
  readonly #window: number;
  readonly #classifies: boolean;
  #now: SavedProgress;

  constructor(run: { readonly stepsOfEpoch: number; readonly classifies: boolean }, saved: SavedProgress | null) {
    this.#window = Math.min(PROGRESS_WINDOW, run.stepsOfEpoch);
    this.#classifies = run.classifies;
    this.#now = saved ?? nothingYet;
  }

  stepped(step: ShardTotals, learningRate: number, { roundMs, aggregateMs }: RoundTimes): void {
    const now = this.#now;
    const first = now.latest.length === 0;
    const average = (before: number, seen: number): number => (first ? seen : before + WEIGHT * (seen - before));
    this.#now = {
      ...now,
      latest: [...now.latest, step].slice(-this.#window),
      learningRate,
      samplesPerSecond: average(now.samplesPerSecond, roundMs > 0 ? (1000 * step.samples) / roundMs : 0),
      aggregateMs: average(now.aggregateMs, aggregateMs),
      transferMs: average(now.transferMs, Math.max(0, roundMs - aggregateMs)),
    };
  }

  evaluated(test: ShardTotals): void {
    this.#now = { ...this.#now, test };
  }

  audited(): void {
    this.#now = { ...this.#now, audited: this.#now.audited + 1 };
  }

  disputed(): void {
    this.#now = { ...this.#now, disputed: this.#now.disputed + 1 };
  }

  saved(): SavedProgress {
    return this.#now;
  }

  report(): ProgressReport {
    const { latest, test, samplesPerSecond, audited, disputed, learningRate } = this.#now;
    const train = latest.length === 0 ? null : latest.reduce(added);
    return {
      loss: meanLoss(train),
      trainAccuracy: this.#accuracy(train),
      testAccuracy: this.#accuracy(test),
      testLoss: meanLoss(test),
      samplesPerSecond,
      split: this.#split(),
      audited,
      disputed,
      learningRate,
    };
  }

  #split(): StepSplit {
    const { computeMs, transferMs, aggregateMs } = this.#now;
    return { computeMs, transferMs, aggregateMs };
  }

  #accuracy(sum: ShardTotals | null): number | null {
    return sum === null || !this.#classifies ? null : sum.correct / sum.samples;
  }
}

const meanLoss = (sum: ShardTotals | null): number | null => (sum === null ? null : sum.loss / sum.samples);

const added = (one: ShardTotals, other: ShardTotals): ShardTotals => ({
  samples: one.samples + other.samples,
  correct: one.correct + other.correct,
  loss: one.loss + other.loss,
});
