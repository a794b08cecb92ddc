import { elementsOf } from '../tensor/dtype.ts';
import { notFinite, wrongPayload } from './codec-errors.ts';

/** The magnitude of a float32 orders like its bits without the sign. */
const MAGNITUDE = 0x7fffffff;
const NOT_FINITE = 0x7f800000;
/** Bits of a magnitude that the second pass looks at; the first takes the 16 above them. */
const LOW_BITS = 15;

export const topKCount = (fraction: number, count: number): number =>
  count === 0 ? 0 : Math.min(count, Math.max(1, Math.round(fraction * count)));

export const topKBytes = (fraction: number, count: number): number => 8 * topKCount(fraction, count);

/** Values looked at for a first guess of the threshold. */
const SAMPLES = 4096;

/** Values with their places in the gradient. */
interface Entries {
  readonly indices: Uint32Array;
  readonly words: Uint32Array;
}

/**
 * The k largest values by magnitude, of equal ones the first: k uint32 indices, ascending, then k float32 values.
 * A threshold guessed from a sample leaves few candidates, whose k largest are found exactly (radix select), so the
 * result does not depend on the sample and its size is known beforehand. Selecting among all values took three times as long.
 * @throws BAD_DATA for a value that is not finite.
 */
export function encodeTopK(fraction: number, values: Float32Array): Uint8Array {
  const kept = topKCount(fraction, values.length);
  const bytes = new Uint8Array(8 * kept);
  if (kept === 0) return bytes;
  const bits = new Uint32Array(values.buffer as ArrayBuffer, values.byteOffset, values.length);
  const chosen = { indices: new Uint32Array(bytes.buffer, 0, kept), words: new Uint32Array(bytes.buffer, 4 * kept) };
  const found = candidates(bits, kept);
  choose(found, thresholdOf(found.words, kept), chosen);
  if (chosen.words.some((word) => (word & MAGNITUDE) >= NOT_FINITE)) throw notFinite();
  return bytes;
}

/** At least `kept` entries, among them the largest. */
function candidates(bits: Uint32Array, kept: number): Entries {
  const guess = guessedThreshold(bits, kept / bits.length);
  const count = countFrom(bits, guess);
  const magnitude = count < kept ? 0 : guess;
  const size = count < kept ? bits.length : count;
  const entries = { indices: new Uint32Array(size), words: new Uint32Array(size) };
  collect(bits, magnitude, entries);
  return entries;
}

/** A magnitude that about 1.5 times as many values as wanted reach, with room for the sampling error; 0 if sampling does not pay. */
function guessedThreshold(bits: Uint32Array, share: number): number {
  const stride = Math.floor(bits.length / SAMPLES);
  const rank = Math.ceil(1.5 * share * SAMPLES) + 16;
  if (stride < 2 || rank > SAMPLES / 2) return 0;
  const sample = new Uint32Array(SAMPLES);
  for (let i = 0; i < SAMPLES; i += 1) sample[i] = bits[i * stride]!;
  return thresholdOf(sample, rank).magnitude;
}

function countFrom(bits: Uint32Array, magnitude: number): number {
  let count = 0;
  for (let i = 0; i < bits.length; i += 1) if ((bits[i]! & MAGNITUDE) >= magnitude) count += 1;
  return count;
}

function collect(bits: Uint32Array, magnitude: number, { indices, words }: Entries): void {
  let found = 0;
  for (let i = 0; i < bits.length; i += 1) {
    const word = bits[i]!;
    if ((word & MAGNITUDE) < magnitude) continue;
    indices[found] = i;
    words[found] = word;
    found += 1;
  }
}

interface Threshold {
  readonly magnitude: number;
  /** How many values of just this magnitude belong to the k largest. */
  readonly ties: number;
}

function thresholdOf(bits: Uint32Array, kept: number): Threshold {
  const upper = new Uint32Array(2 ** 16);
  for (let i = 0; i < bits.length; i += 1) upper[(bits[i]! & MAGNITUDE) >>> LOW_BITS]! += 1;
  const high = binOfRank(upper, kept);
  const lower = new Uint32Array(2 ** LOW_BITS);
  for (let i = 0; i < bits.length; i += 1) {
    const magnitude = bits[i]! & MAGNITUDE;
    if (magnitude >>> LOW_BITS === high.bin) lower[magnitude & (2 ** LOW_BITS - 1)]! += 1;
  }
  const low = binOfRank(lower, high.rank);
  return { magnitude: high.bin * 2 ** LOW_BITS + low.bin, ties: low.rank };
}

/** The bin that holds the rank-th largest (from 1), and its rank among those in the bin. */
function binOfRank(counts: Uint32Array, rank: number): { bin: number; rank: number } {
  let [bin, left] = [counts.length - 1, rank];
  while (left > counts[bin]!) {
    left -= counts[bin]!;
    bin -= 1;
  }
  return { bin, rank: left };
}

function choose(from: Entries, { magnitude, ties }: Threshold, to: Entries): void {
  let [found, tiesLeft] = [0, ties];
  for (let i = 0; found < to.words.length; i += 1) {
    const word = from.words[i]!;
    const size = word & MAGNITUDE;
    if (size < magnitude || (size === magnitude && tiesLeft === 0)) continue;
    if (size === magnitude) tiesLeft -= 1;
    to.indices[found] = from.indices[i]!;
    to.words[found] = word;
    found += 1;
  }
}

/** Values that are sent, and where they belong. */
export interface TopKEntries {
  readonly indices: Int32Array;
  readonly values: Float32Array;
}

/** The entries of bytes that `decodeTopK` takes; views of them where they are aligned. */
export function topKEntries(bytes: Uint8Array): TopKEntries {
  const half = bytes.length / 2;
  return { indices: elementsOf('int32', bytes.subarray(0, half)), values: elementsOf('float32', bytes.subarray(half)) };
}

/** @throws PROTOCOL for indices out of range or not ascending, or values that are not finite; `out` is then unchanged. */
export function decodeTopK(bytes: Uint8Array, out: Float32Array, add: boolean): void {
  const { indices, values } = topKEntries(bytes);
  checkPairs(indices, values, out.length);
  if (!add) out.fill(0);
  const scatter = add ? addAt : storeAt;
  scatter(indices, values, out);
}

function storeAt(indices: Int32Array, values: Float32Array, out: Float32Array): void {
  for (let i = 0; i < indices.length; i += 1) out[indices[i]!] = values[i]!;
}

function addAt(indices: Int32Array, values: Float32Array, out: Float32Array): void {
  for (let i = 0; i < indices.length; i += 1) out[indices[i]!]! += values[i]!;
}

/** An index above 2^31 shows up as a negative one. */
function checkPairs(indices: Int32Array, values: Float32Array, count: number): void {
  let last = -1;
  for (let i = 0; i < indices.length; i += 1) {
    const index = indices[i]!;
    if (index <= last || index >= count) throw wrongPayload(`index ${index} after ${last}, of ${count} parameters`);
    if (!Number.isFinite(values[i]!)) throw wrongPayload(`the value ${values[i]} at index ${index}`);
    last = index;
  }
}
