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

/**
 * The k largest values by magnitude, of equal ones the first: k uint32 indices, ascending, then k float32 values.
 * The k-th largest is found exactly by a radix select over the bits, two counting passes: as fast as a sampled threshold with an exact
 * recount, and the size of the payload is known beforehand.
 * @throws BAD_DATA for a value that is not finite.
 */
export function encodeTopK(fraction: number, values: Float32Array): Uint8Array {
  const kept = topKCount(fraction, values.length);
  const bytes = new Uint8Array(8 * kept);
  if (kept === 0) return bytes;
  const bits = new Uint32Array(values.buffer as ArrayBuffer, values.byteOffset, values.length);
  const chosen = { indices: new Uint32Array(bytes.buffer, 0, kept), words: new Uint32Array(bytes.buffer, 4 * kept) };
  collect(bits, thresholdOf(bits, kept), chosen);
  if (chosen.words.some((word) => (word & MAGNITUDE) >= NOT_FINITE)) throw notFinite();
  return bytes;
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

function collect(
  bits: Uint32Array,
  { magnitude, ties }: Threshold,
  out: { indices: Uint32Array; words: Uint32Array },
): void {
  const { indices, words } = out;
  let [found, tiesLeft] = [0, ties];
  for (let i = 0; i < bits.length; i += 1) {
    const word = bits[i]!;
    const size = word & MAGNITUDE;
    if (size < magnitude || (size === magnitude && tiesLeft === 0)) continue;
    if (size === magnitude) tiesLeft -= 1;
    indices[found] = i;
    words[found] = word;
    found += 1;
  }
}

/** @throws PROTOCOL for indices out of range or not ascending, or values that are not finite, with `out` as it was. */
export function decodeTopK(bytes: Uint8Array, out: Float32Array, add: boolean): void {
  const kept = bytes.length / 8;
  const indices = elementsOf('int32', bytes.subarray(0, 4 * kept));
  const values = elementsOf('float32', bytes.subarray(4 * kept));
  checkPairs(indices, values, out.length);
  if (!add) out.fill(0);
  for (let i = 0; i < kept; i += 1) out[indices[i]!]! += values[i]!;
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
