import { MusterError } from '../errors.ts';
import { accumulate } from './accumulate.ts';

/** Shards [from, to) of a batch. */
export interface ShardRange {
  readonly from: number;
  readonly to: number;
}

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
  /** Shards that had no part in it, ascending. */
  readonly missing: readonly number[];
}

/**
 * Adds the gradient sums of one step's shards along a fixed binary tree over shard numbers: two neighbours as soon as
 * both are there, early arrivals held. Float addition is not associative, so a running total would depend on who was
 * first; here the bits depend only on which shards are counted, and a node may add an aligned run of its shards
 * (see `alignedRuns`) before it sends, for less traffic and the same bits. A shard that is missing at the end is left out of sum and count: the mean over
 * K of N is then exactly the mean over the samples of those K.
 *
 * Holds at most one array per shard, each handed over by `add` and given out again by `spare`.
 */
export class GradientSum {
  readonly #shards: number;
  readonly #parameters: number;
  readonly #spare: Float32Array[] = [];
  /** By level, then by place in the level; a node is here while its sibling is not. */
  readonly #held: (SampleSum | undefined)[][];
  readonly #counted: boolean[];

  constructor(shards: number, parameters: number) {
    const levels = Math.ceil(Math.log2(shards)) + 1;
    this.#shards = shards;
    this.#parameters = parameters;
    this.#held = Array.from({ length: levels }, () => []);
    this.#counted = Array.from({ length: shards }, () => false);
  }

  /** An array to decode into and to hand over; its values are old ones. */
  spare(): Float32Array {
    return this.#spare.pop() ?? new Float32Array(this.#parameters);
  }

  /** Shards that are not counted yet, ascending. */
  missing(): number[] {
    return [...this.#counted.keys()].filter((shard) => !this.#counted[shard]);
  }

  get complete(): boolean {
    return this.#counted.every(Boolean);
  }

  /**
   * Counts a shard, or an aligned run of shards added along this same tree; takes `sum.gradient` over and writes to it.
   * @returns false if one of the shards is counted already: a copy came second, nothing is changed and the array is the caller's.
   * @throws PROTOCOL for shards that are no run of this tree, a gradient of another length, or a count that is not positive.
   */
  add(run: ShardRange, sum: SampleSum): boolean {
    const level = this.#levelOf(run);
    this.#check(run, sum, level);
    if (this.#counted.slice(run.from, run.to).includes(true)) return false;
    this.#counted.fill(true, run.from, run.to);
    this.#climb(level, run.from / 2 ** level, sum);
    return true;
  }

  /** The sum of what is counted, undefined if nothing is; the array is the caller's. The next step begins. */
  sum(): SampleSum | undefined {
    const total = this.#collect(this.#held.length - 1, 0);
    this.#counted.fill(false);
    return total;
  }

  /** Writes the mean gradient of what is counted to `out`; the next step begins. @throws BUG if nothing is counted. */
  mean(out: Float32Array): SampleMean {
    const missing = this.missing();
    const total = this.sum();
    if (!total) throw new MusterError('BUG', 'a mean over no samples', { why: `${missing.length} shards are missing` });
    divide(total, out);
    this.#recycle(total.gradient);
    return { samples: total.samples, loss: total.loss / total.samples, missing };
  }

  #levelOf({ from, to }: ShardRange): number {
    return this.#held.findIndex((_, level) => Math.min(from + 2 ** level, this.#shards) === to);
  }

  #check({ from, to }: ShardRange, sum: SampleSum, level: number): void {
    const inTree = level >= 0 && from >= 0 && from < to && from % 2 ** level === 0;
    if (!inTree) throw bad(`shards [${from}, ${to}) are no run of the tree over ${this.#shards}`);
    const { length } = sum.gradient;
    if (length !== this.#parameters) throw bad(`${length} values, the model has ${this.#parameters} parameters`);
    if (!(Number.isSafeInteger(sum.samples) && sum.samples > 0)) throw bad(`a count of ${sum.samples} samples`);
  }

  #climb(from: number, place: number, arrived: SampleSum): void {
    let [level, index, sum] = [from, place, arrived];
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

/** The fewest runs of the tree over `shards` that make up the contiguous shards [from, to), ascending: what a node adds by itself. */
export function alignedRuns({ from, to }: ShardRange, shards: number): ShardRange[] {
  const runs: ShardRange[] = [];
  for (let start = from; start < to; start = runs.at(-1)!.to) {
    let size = 1;
    while (start % (2 * size) === 0 && Math.min(start + 2 * size, shards) <= to && size < shards) size *= 2;
    runs.push({ from: start, to: Math.min(start + size, shards) });
  }
  return runs;
}

function divide({ gradient, samples }: SampleSum, out: Float32Array): void {
  for (let i = 0; i < out.length; i += 1) out[i] = gradient[i]! / samples;
}

const bad = (why: string): MusterError => new MusterError('PROTOCOL', 'a gradient sum is not valid', { why });
