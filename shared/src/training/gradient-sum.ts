import { MusterError } from '../errors.ts';
import { accumulate } from './accumulate.ts';

/** A sum over samples: of gradients, of losses. A mean cannot be merged, a sum and a count can. */
export interface SampleSum {
  readonly gradient: Float32Array;
  readonly samples: number;
  readonly loss: number;
}

export interface SampleMean {
  /** Samples that the mean is over. */
  readonly samples: number;
  readonly loss: number;
  /** Shards that were left out, ascending. */
  readonly missing: readonly number[];
}

/**
 * Adds the gradient sums of one step's shards along a fixed binary tree over shard numbers: two neighbours as soon as both are there, early
 * arrivals held. Float addition is not associative, so a running total would depend on the order of arrival; here the bits depend only on
 * which shards are counted. A shard that is missing at the end is left out of sum and count: the mean over K of N is then exactly the mean
 * over the samples of those K.
 *
 * Holds at most one array per shard: `add` takes it over, and `spare` hands it out again.
 */
export class GradientSum {
  readonly #shards: number;
  readonly #parameters: number;
  readonly #spare: Float32Array[] = [];
  /** By level, then by position in the level; a sum is held here until its sibling arrives. */
  readonly #held: (SampleSum | undefined)[][];
  readonly #counted: boolean[];

  constructor(shards: number, parameters: number) {
    const levels = Math.ceil(Math.log2(shards)) + 1;
    this.#shards = shards;
    this.#parameters = parameters;
    this.#held = Array.from({ length: levels }, () => []);
    this.#counted = Array.from({ length: shards }, () => false);
  }

  /** An array to decode into and to pass to `add`; its values are stale. */
  spare(): Float32Array {
    return this.#spare.pop() ?? new Float32Array(this.#parameters);
  }

  /** Shards that are not counted yet, ascending. */
  missing(): number[] {
    return [...this.#counted.keys()].filter((shard) => !this.#counted[shard]);
  }

  /**
   * Takes ownership of `sum.gradient` and writes to it.
   * @returns false for a shard that is counted already: nothing is changed and the array stays the caller's.
   * @throws PROTOCOL for a number that is none of these shards, a gradient of another length, or a count that is not positive.
   */
  add(shard: number, sum: SampleSum): boolean {
    this.#check(shard, sum);
    if (this.#counted[shard] === true) return false;
    this.#counted[shard] = true;
    this.#climb(shard, sum);
    return true;
  }

  /** The sum of what is counted, undefined if nothing is; the array becomes the caller's. Resets for the next step. */
  sum(): SampleSum | undefined {
    const total = this.#collect(this.#held.length - 1, 0);
    this.#counted.fill(false);
    return total;
  }

  /** Writes the mean gradient of what is counted to `out`, and resets for the next step. @throws BUG if nothing is counted. */
  mean(out: Float32Array): SampleMean {
    const missing = this.missing();
    const total = this.sum();
    if (!total) throw new MusterError('BUG', 'a mean over no samples', { why: `${missing.length} shards are missing` });
    divide(total, out);
    this.#recycle(total.gradient);
    return { samples: total.samples, loss: total.loss / total.samples, missing };
  }

  #check(shard: number, sum: SampleSum): void {
    if (!(Number.isInteger(shard) && shard >= 0 && shard < this.#shards))
      throw bad(`shard ${shard} is none of ${this.#shards}`);
    const { length } = sum.gradient;
    if (length !== this.#parameters) throw bad(`${length} values, the model has ${this.#parameters} parameters`);
    if (!(Number.isSafeInteger(sum.samples) && sum.samples > 0)) throw bad(`a count of ${sum.samples} samples`);
  }

  #climb(shard: number, arrived: SampleSum): void {
    let [level, index, sum] = [0, shard, arrived];
    while (level < this.#held.length - 1) {
      const row = this.#held[level]!;
      const sibling = index % 2 === 0 ? index + 1 : index - 1;
      const other = row[sibling];
      if (!other && sibling * 2 ** level < this.#shards) break;
      row[sibling] = undefined;
      sum = index < sibling ? this.#merge(sum, other) : this.#merge(other!, sum);
      [level, index] = [level + 1, Math.floor(index / 2)];
    }
    this.#held[level]![index] = sum;
  }

  #collect(level: number, index: number): SampleSum | undefined {
    const held = this.#held[level]?.[index];
    if (held || level <= 0) {
      if (level >= 0) this.#held[level]![index] = undefined;
      return held;
    }
    const left = this.#collect(level - 1, 2 * index);
    const right = this.#collect(level - 1, 2 * index + 1);
    return left ? this.#merge(left, right) : right;
  }

  /** Into the left one's array. */
  #merge(left: SampleSum, right: SampleSum | undefined): SampleSum {
    if (!right) return left;
    accumulate(left.gradient, right.gradient);
    this.#recycle(right.gradient);
    return { gradient: left.gradient, samples: left.samples + right.samples, loss: left.loss + right.loss };
  }

  #recycle(array: Float32Array): void {
    if (this.#spare.length < this.#shards) this.#spare.push(array);
  }
}

function divide({ gradient, samples }: SampleSum, out: Float32Array): void {
  for (let i = 0; i < out.length; i += 1) out[i] = gradient[i]! / samples;
}

const bad = (why: string): MusterError => new MusterError('PROTOCOL', 'a gradient sum is not valid', { why });
