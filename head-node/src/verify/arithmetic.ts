/** What rounding may do to an honest result, from the declared arithmetic. */
import type { OperandDtype } from '@muster/shared';

interface Rounding {
  /** Unit roundoff. */
  readonly unit: number;
  /** The smallest normal number: devices may flush anything smaller to zero. */
  readonly tiny: number;
  readonly max: number;
}

const roundings: Record<OperandDtype, Rounding> = {
  float32: { unit: 2 ** -24, tiny: 2 ** -126, max: (2 - 2 ** -23) * 2 ** 127 },
  float64: { unit: 2 ** -53, tiny: 2 ** -1022, max: Number.MAX_VALUE },
  int8: { unit: 0, tiny: 0, max: 2 ** 31 },
};

/** Dimensions of a tile's products. */
export interface TileSize {
  /** K, the length of the sums. */
  readonly depth: number;
  readonly columns: number;
}

/**
 * A limit for |C X - A B X| in a row of a tile, for Gaussian X, from two root mean squares of the row's elements of C: the one expected if
 * the signs of all terms were random, and the one returned, 0 while that is not known.
 */
export type RowLimit = (expectedRms: number, returnedRms: number) => number;

/**
 * An honest row stays below this unless rounding drifts; 0 for integers.
 *
 * In units of `unit * size * sqrt(columns)`. Where A and B cancel, so that a row has the size that is expected, float32 on CPUs was
 * seen to reach 54 with the check in the same precision, sums added one by one 75 at K = 3000, GPUs six times a rms of 4. Where
 * they add up, the row's own size counts: 14 was seen, and 200 where all terms are the same. Analysis: arXiv 1705.10449.
 */
export function clearLimit(dtype: OperandDtype, { depth, columns }: TileSize): RowLimit {
  const { unit, tiny } = roundings[dtype];
  const [expected, returned] = [128 + Math.sqrt(depth), 16].map((units) => units * unit * Math.sqrt(columns));
  const flushed = 4 * depth * tiny * Math.sqrt(columns);
  return (expectedRms, returnedRms) =>
    (expected as number) * expectedRms + (returned as number) * returnedRms + flushed;
}

/**
 * No honest row is above this one. A sum of equal terms, added one by one, drifts by up to K/2 units of its size, and sums
 * that cancel do so by their larger parts. In these units a result in bfloat16 is off by 65,000, one from TF32 operands by 7,000.
 */
export function widestLimit(dtype: OperandDtype, { depth, columns }: TileSize): RowLimit {
  const { unit, tiny } = roundings[dtype];
  const units = Math.max(1000, depth / 2) * unit * Math.sqrt(columns);
  const flushed = 4 * depth * tiny * Math.sqrt(columns);
  return (expectedRms, returnedRms) => units * (expectedRms + returnedRms) + flushed;
}

export interface ExactElement {
  /** sum a b, in float64. */
  readonly exact: number;
  /** sum |a b| */
  readonly magnitude: number;
  /** How far the same terms, added one by one in the result's precision, come to lie from `exact`. */
  readonly drift: number;
}

/**
 * May an honest node return this for the element? Allowed are six standard deviations of K roundings of random sign (Higham and Mary, A new
 * approach to probabilistic rounding error analysis, 2019), and twice the drift, for where signs are not random; and what is not finite,
 * where the exact sum is not or partial sums may have overflowed.
 */
export function elementIsHonest(
  dtype: OperandDtype,
  returned: number,
  { exact, magnitude, drift, depth }: ExactElement & { depth: number },
): boolean {
  const { unit, tiny, max } = roundings[dtype];
  const tolerance = (2 * Math.sqrt(depth) + 8) * unit * magnitude + 2 * drift + 2 * depth * tiny;
  if (Number.isFinite(tolerance) && Math.abs(returned - exact) <= tolerance) return true;
  const mayOverflow = !Number.isFinite(exact) || magnitude * (1 + 2 * depth * unit) >= max;
  return mayOverflow && !Number.isFinite(returned);
}
