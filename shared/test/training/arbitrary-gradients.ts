import { isMusterError, seededRandom, type MusterError } from '@muster/shared';
import * as fc from 'fast-check';

/** Roughly normal values, as gradients are. */
export function gradientOf(length: number, seed: number, scale = 0.01): Float32Array {
  const random = seededRandom(seed);
  const normal = (): number => random() + random() + random() + random() - 2;
  return Float32Array.from({ length }, () => scale * normal());
}

export const gradients = fc.float32Array({
  minLength: 1,
  maxLength: 1300,
  noNaN: true,
  min: -(2 ** 100),
  max: 2 ** 100,
});

export const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.slice().buffer);

export const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);

export function refusal(act: () => unknown): MusterError {
  try {
    act();
  } catch (error) {
    if (isMusterError(error)) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
