import type { Random } from '../random.ts';
import { zeros, type Dtype, type Elements } from '../tensor/dtype.ts';

/** Read once: a look-up of a global is slow in the realm of a test. */
const { abs, floor } = Math;
const { isNaN } = Number;

/** [m, k, n] of C (m x n) = A (m x k) * B (k x n). */
export type ProductShape = readonly [number, number, number];

/** Uniform in [-0.5, 0.5), or whole numbers from -128 to 127 for the integer types. */
export function randomMatrix<T extends Dtype>(dtype: T, count: number, random: Random): Elements<T> {
  const whole = dtype === 'int8' || dtype === 'int32';
  const elements = zeros(dtype, count);
  for (let at = 0; at < count; at++) elements[at] = whole ? floor(random() * 256) - 128 : random() - 0.5;
  return elements;
}

/** Row-major operands. */
export interface Operands {
  readonly a: Elements;
  readonly b: Elements;
}

/** The product by three loops in float64, row-major: exact for int8, the reference for the other types. */
export function naiveProduct({ a, b }: Operands, [m, k, n]: ProductShape): Float64Array {
  const sums = new Float64Array(m * n);
  for (let row = 0; row < m; row++) {
    for (let inner = 0; inner < k; inner++) {
      const factor = a[row * k + inner] as number;
      for (let column = 0; column < n; column++) {
        sums[row * n + column] = (sums[row * n + column] as number) + factor * (b[inner * n + column] as number);
      }
    }
  }
  return sums;
}

/** The largest |one - other|; Infinity for different lengths, NaN where one is not a number. */
export function maxAbsError(one: Elements, other: Elements): number {
  if (one.length !== other.length) return Infinity;
  let largest = 0;
  for (let at = 0; at < one.length; at++) {
    const error = abs((one[at] as number) - (other[at] as number));
    if (!(error <= largest)) largest = error;
    if (isNaN(error)) return error;
  }
  return largest;
}
