import {
  PROGRESS_WINDOW,
  type SavedProgress,
  type StepSplit,
  type TrainingReport,
  type TrainSpec,
} from '@muster/shared';
import type { ShardTotals } from './round-sums.ts';

/** Weight of the latest round in a moving average. */
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
  /** Optimizer steps of the round. */
  readonly steps: number;
  /** From the opening of the round to that of the next. */
  readonly roundMs: number;
  /** Of it, the longest computation of a node. */
  readonly computeMs: number;
  /** Of it, spent on checks, sums and the optimizer. */
  readonly aggregateMs: number;
}

/** The measurements in a report: without the run's position and checkpoint. */
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
  /** Loss and accuracy are of at least this many of the latest samples. */
  readonly #window: number;
  readonly #classifies: boolean;
  #now: SavedProgress;

  constructor({ trainSamples, options, layout }: TrainSpec, saved: SavedProgress | null) {
    this.#window = Math.min(PROGRESS_WINDOW * options.batch, trainSamples);
    this.#classifies = layout.target.kind === 'classes';
    this.#now = saved ?? nothingYet;
  }

  /** To be called after a round with gradients. */
  stepped(round: ShardTotals, learningRate: number, { steps, roundMs, computeMs, aggregateMs }: RoundTimes): void {
    const now = this.#now;
    const first = now.latest.length === 0;
    const average = (before: number, seen: number): number => (first ? seen : before + WEIGHT * (seen - before));
    const transferMs = Math.max(0, roundMs - computeMs - aggregateMs);
    this.#now = {
      ...now,
      latest: newest([...now.latest, round], this.#window),
      learningRate,
      samplesPerSecond: average(now.samplesPerSecond, roundMs > 0 ? (1000 * round.samples) / roundMs : 0),
      computeMs: average(now.computeMs, computeMs / steps),
      aggregateMs: average(now.aggregateMs, aggregateMs / steps),
      transferMs: average(now.transferMs, transferMs / steps),
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

/** The last of these rounds: as few as contain so many samples. */
function newest(rounds: readonly ShardTotals[], samples: number): ShardTotals[] {
  const kept = rounds.slice(-PROGRESS_WINDOW);
  let sum = kept.reduce((total, round) => total + round.samples, 0);
  while (kept.length > 1 && sum - kept[0]!.samples >= samples) sum -= kept.shift()!.samples;
  return kept;
}

const meanLoss = (sum: ShardTotals | null): number | null => (sum === null ? null : sum.loss / sum.samples);

const added = (one: ShardTotals, other: ShardTotals): ShardTotals => ({
  samples: one.samples + other.samples,
  correct: one.correct + other.correct,
  loss: one.loss + other.loss,
});
