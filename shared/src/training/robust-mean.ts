import { MusterError } from '../errors.ts';
import type { TrainingOptions } from './options.ts';

const { floor, max, min } = Math;

/** Coordinates sorted at a time: rows of 16 shards stay in the second-level cache. */
const COLUMNS = 1024;

export interface RobustAggregator {
  readonly aggregator: Exclude<TrainingOptions['aggregator'], 'mean'>;
  readonly trim: number;
}

/**
 * The coordinate-wise trimmed mean or median of one *mean* gradient per shard (Yin et al. 2018), every shard with the same
 * weight: what a minority of wrong shards says is without effect. A NaN counts as +Infinity, so that it is
 * dropped like any other extreme. The order of `gradients` does not change a bit.
 */
export function robustMean(robust: RobustAggregator, gradients: readonly Float32Array[], out: Float32Array): void {
  const unequal = gradients.some(({ length }) => length !== out.length);
  if (unequal || gradients.length === 0) {
    const lengths = gradients.map(({ length }) => length).join(', ');
    throw new MusterError('BUG', 'a robust mean needs equal gradients', { why: `[${lengths}] for ${out.length}` });
  }
  sortedMeans(gradients, droppedAtEachEnd(robust, gradients.length), out);
}

/** Of `shards` values of a coordinate, how many are dropped at each end: at least one is left. */
function droppedAtEachEnd({ aggregator, trim }: RobustAggregator, shards: number): number {
  return aggregator === 'median' ? floor((shards - 1) / 2) : floor(trim * shards);
}

function sortedMeans(gradients: readonly Float32Array[], dropped: number, out: Float32Array): void {
  const rows = gradients.map(() => new Float32Array(COLUMNS));
  const kept = rows.slice(dropped, rows.length - dropped);
  const exchanges = sortingNetwork(rows.length);
  for (let start = 0; start < out.length; start += COLUMNS) {
    const columns = min(COLUMNS, out.length - start);
    for (const [row, gradient] of gradients.entries()) load(gradient, start, rows[row]!.subarray(0, columns));
    for (const [low, high] of exchanges) exchange(rows[low]!, rows[high]!, columns);
    mean(kept, out.subarray(start, start + columns));
  }
}

function load(gradient: Float32Array, start: number, row: Float32Array): void {
  for (let i = 0; i < row.length; i += 1) {
    const value = gradient[start + i]!;
    row[i] = Number.isNaN(value) ? Infinity : value;
  }
}

function exchange(low: Float32Array, high: Float32Array, columns: number): void {
  for (let i = 0; i < columns; i += 1) {
    const a = low[i]!;
    const b = high[i]!;
    low[i] = min(a, b);
    high[i] = max(a, b);
  }
}

function mean(rows: readonly Float32Array[], out: Float32Array): void {
  const sums = new Float64Array(out.length);
  for (const row of rows) for (let i = 0; i < sums.length; i += 1) sums[i]! += row[i]!;
  for (let i = 0; i < sums.length; i += 1) out[i] = sums[i]! / rows.length;
}

/** Batcher's odd-even merge sort for any width: 5 exchanges for 4 rows, 63 for 16 (Knuth, TAOCP 5.2.2 M). */
function sortingNetwork(width: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let p = 1; p < width; p *= 2) {
    for (let k = p; k >= 1; k /= 2) {
      for (let low = k % p; low + k < width; low += 1) {
        const inBlock = (low - (k % p)) % (2 * k) < k;
        if (inBlock && floor(low / (2 * p)) === floor((low + k) / (2 * p))) pairs.push([low, low + k]);
      }
    }
  }
  return pairs;
}
