import { limits, operandDtypes, parseWhole, type OperandDtype } from '@muster/shared';
import type { Flags } from '../flags.ts';
import { maybeOneOf, usage, wholeOf } from './values.ts';

export type OperandChoice =
  | { readonly kind: 'random'; readonly size: number; readonly seed: number; readonly dtype: OperandDtype }
  | { readonly kind: 'files'; readonly a: string; readonly b: string; readonly dtype: OperandDtype | undefined };

export interface ProductRun {
  readonly task: 'matrix_mult';
  readonly operands: OperandChoice;
  readonly grid: string;
  readonly out: string | undefined;
}

const SEED_MAX = 2 ** 32 - 1;

export function resolveProduct(flags: Flags): ProductRun {
  const { grid = 'auto', out } = flags;
  if (!/^(auto|1d|2d|[1-9]\d{0,3}x[1-9]\d{0,3})$/.test(grid)) {
    throw usage('--grid must be auto, 1d, 2d or ROWSxCOLUMNS', { why: `got '${grid}'`, fix: '--grid 2x2' });
  }
  return { task: 'matrix_mult', operands: resolveOperands(flags), grid, out };
}

function resolveOperands({ size, a, b, seed, dtype }: Flags): OperandChoice {
  const type = maybeOneOf(dtype, '--dtype', operandDtypes);
  if (size !== undefined) {
    if (a !== undefined || b !== undefined) {
      throw usage('--size and --a/--b exclude each other', {
        why: '--size multiplies random matrices, --a and --b multiply files',
        fix: '--size 1024   or   --a A.npy --b B.npy',
      });
    }
    const side = parseWhole(size, '--size', [1, limits.dimensionMax.value]);
    return { kind: 'random', size: side, seed: wholeOf(seed, '--seed', [0, SEED_MAX]) ?? 1, dtype: type ?? 'float32' };
  }
  if (a !== undefined && b !== undefined) return { kind: 'files', a, b, dtype: type };
  const missing = a === undefined && b === undefined ? 'both operands' : `--${a === undefined ? 'a' : 'b'}`;
  throw usage('operands are missing', { why: `${missing} not given`, fix: '--size 1024   or   --a A.npy --b B.npy' });
}
