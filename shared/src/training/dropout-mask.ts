import { MusterError } from '../errors.ts';
import { hashWords, mixWord } from './hash-words.ts';

const { imul } = Math;

export interface MaskKey {
  readonly seed: number;
  /** Number of the global step, from 0. */
  readonly step: number;
  /** Number of the dropout layer in the model. */
  readonly layer: number;
  /** Share of the units that is dropped, in [0, 1). */
  readonly rate: number;
}

/**
 * Inverted dropout for `samples` (numbers in the data set), one row of `out` each, out.length / samples.length units: 0 with probability
 * `rate`, else 1 / (1 - rate). A row depends on key and sample number alone, so it is the same on any node and in any shard.
 */
export function fillMask(key: MaskKey, samples: Uint32Array, out: Float32Array): void {
  const units = out.length / samples.length;
  if (!Number.isInteger(units)) {
    throw new MusterError('BUG', 'a mask has whole rows', { why: `${out.length} values, ${samples.length} samples` });
  }
  const { seed, step, layer, rate } = key;
  const dropped = Math.round(rate * 2 ** 32);
  for (const [row, sample] of samples.entries()) {
    const keys = { high: hashWords(seed, step, layer, sample), low: hashWords(sample, layer, step, seed) };
    fillRow(keys, dropped, out.subarray(row * units, (row + 1) * units));
  }
}

/** Two hashes of the key make 64 bits: with 32, rows of a large step would now and then be shifted copies of each other. */
function fillRow({ high, low }: { high: number; low: number }, dropped: number, row: Float32Array): void {
  const kept = 1 / (1 - dropped / 2 ** 32);
  for (let unit = 0; unit < row.length; unit += 1) {
    row[unit] = mixWord(mixWord(high + imul(unit, 0x9e3779b1)) ^ low) < dropped ? 0 : kept;
  }
}
