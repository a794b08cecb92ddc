import { GradientSum, MusterError, robustMean, type RobustAggregator } from '@muster/shared';

/** The result of one shard, without its vector. */
export interface ShardTotals {
  readonly samples: number;
  readonly correct: number;
  /** Sum over the samples. */
  readonly loss: number;
}

/** Sums the shards of a round as they come. The order of the additions depends on the shard numbers alone. */
export interface VectorSum {
  /** An array to decode into. */
  spare(): Float32Array;
  /** Takes the array over; `vector` is a sum over `samples`. */
  add(index: number, vector: Float32Array, samples: number): void;
  /** Writes the mean over the shards that were added to `out`; the next round begins. */
  mean(out: Float32Array): void;
}

export function vectorSum(shards: number, parameters: number, robust: RobustAggregator | null): VectorSum {
  return robust === null ? new WeightedMean(shards, parameters) : new RobustMean(parameters, robust);
}

/** Mean over samples: where shards are missing, exactly the mean over the samples that are there. */
class WeightedMean implements VectorSum {
  readonly #sum: GradientSum;

  constructor(shards: number, parameters: number) {
    this.#sum = new GradientSum(shards, parameters);
  }

  spare(): Float32Array {
    return this.#sum.spare();
  }

  add(index: number, gradient: Float32Array, samples: number): void {
    this.#sum.add(index, { gradient, samples, loss: 0 });
  }

  mean(out: Float32Array): void {
    this.#sum.mean(out);
  }
}

class RobustMean implements VectorSum {
  readonly #parameters: number;
  readonly #robust: RobustAggregator;
  readonly #means: Float32Array[] = [];
  readonly #spare: Float32Array[] = [];

  constructor(parameters: number, robust: RobustAggregator) {
    this.#parameters = parameters;
    this.#robust = robust;
  }

  spare(): Float32Array {
    return this.#spare.pop() ?? new Float32Array(this.#parameters);
  }

  add(_index: number, vector: Float32Array, samples: number): void {
    for (let i = 0; i < vector.length; i += 1) vector[i]! /= samples;
    this.#means.push(vector);
  }

  mean(out: Float32Array): void {
    robustMean(this.#robust, this.#means, out);
    this.#spare.push(...this.#means.splice(0));
  }
}

/** Loss and right answers by shard number; added in that order. */
export class RoundTotals {
  readonly #shards = new Map<number, ShardTotals>();

  get count(): number {
    return this.#shards.size;
  }

  has(index: number): boolean {
    return this.#shards.has(index);
  }

  add(index: number, totals: ShardTotals): void {
    this.#shards.set(index, totals);
  }

  sum(): ShardTotals {
    const inOrder = [...this.#shards].toSorted(([one], [other]) => one - other);
    if (inOrder.length === 0) throw new MusterError('BUG', 'a round ended without a shard');
    return inOrder.reduce(
      (sum, [, { samples, correct, loss }]) => ({
        samples: sum.samples + samples,
        correct: sum.correct + correct,
        loss: sum.loss + loss,
      }),
      { samples: 0, correct: 0, loss: 0 },
    );
  }
}
