import { z } from 'zod';
import { parseOrThrow } from '../../first-issue.ts';
import { MusterError } from '../../errors.ts';
import { limits } from '../../protocol/limits.ts';
import { dtypes, operandDtypes } from '../../tensor/dtype.ts';
import { stripingOf, type Striping } from '../../tensor/stripes.ts';

const dimension = z.number().int().min(1).max(limits.dimensionMax.value);

export const matrixMultSpec = z.object({
  /** C (m x n) = A (m x k) * B (k x n). */
  m: dimension,
  k: dimension,
  n: dimension,
  dtype: z.enum(operandDtypes as ['float32', 'float64', 'int8']),
  /** '1d' cuts C by columns, '2d' by both; 'RxC' fixes the cut. */
  grid: z.string().regex(/^(auto|1d|2d|[1-9]\d{0,3}x[1-9]\d{0,3})$/),
});

export type MatrixMultSpec = z.infer<typeof matrixMultSpec>;

export function parseMatrixMultSpec(raw: unknown): MatrixMultSpec {
  const spec = parseOrThrow(matrixMultSpec, raw, 'the matrix product');
  const { m, k, n, dtype } = spec;
  const largest = Math.max(m * k, k * n) * dtypes[dtype].bytes;
  if (largest > limits.operandBytesMax.value) {
    throw new MusterError('TOO_LARGE', 'an operand is too large', {
      why: `${largest} bytes, the limit is ${limits.operandBytesMax.value}`,
    });
  }
  return spec;
}

export const stripingOfA = ({ m, k, dtype }: MatrixMultSpec): Striping => stripingOf(m, k, dtype);
export const stripingOfB = ({ n, k, dtype }: MatrixMultSpec): Striping => stripingOf(n, k, dtype);
