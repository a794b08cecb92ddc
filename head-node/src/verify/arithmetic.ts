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

/**
 * Tolerated error of one element, in units of `unit * size`, where `size` is about the element's root mean square.
 *
 * 4 was measured as the rms for float32 on CPUs; x4 for a check in the same precision, x6 for GPUs, x10 for the largest of
 * thousands of normal deviates: 1000. It must grow with K: a sum of equal terms, added one by one, drifts by up to K/2 units of
 * its size, and sums that cancel do so by their larger parts. In these units a result in bfloat16 is off by 65,000, one from
 * TF32 operands by 7,000. Analysis: arXiv 1705.10449.
 */
const roundingUnits = (depth: number): number => Math.max(1000, depth / 2);

export interface RowSize {
  /** K. */
  readonly depth: number;
  readonly columns: number;
  /** Root mean square of the row's elements of C, as expected or as returned. */
  readonly rms: number;
}

/** Largest honest |(C X - A B X)| in a row, for Gaussian X; 0 for integers. */
export function residualLimit(dtype: OperandDtype, { depth, columns, rms }: RowSize): number {
  const { unit, tiny } = roundings[dtype];
  return (roundingUnits(depth) * unit * rms + 4 * depth * tiny) * Math.sqrt(columns);
}

export interface ExactElement {
  /** sum a b, in float64. */
  readonly exact: number;
  /** sum |a b| */
  readonly magnitude: number;
}

/**
 * Is this what an honest node may return for the element? Within K roundings of the exact sum, in whatever order it was added (Higham,
 * Accuracy and Stability, 3.5); not finite where the operands are not, or where partial sums may have overflowed.
 */
export function elementIsHonest(
  dtype: OperandDtype,
  returned: number,
  { exact, magnitude, depth }: ExactElement & { depth: number },
): boolean {
  const { unit, tiny, max } = roundings[dtype];
  const tolerance = 2 * depth * (unit * magnitude + tiny);
  if (Number.isFinite(tolerance) && Math.abs(returned - exact) <= tolerance) return true;
  const mayOverflow = !Number.isFinite(exact) || magnitude * (1 + 2 * depth * unit) >= max;
  return mayOverflow && !Number.isFinite(returned);
}
