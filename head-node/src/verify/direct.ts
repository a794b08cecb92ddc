/** Elements of C from their definition, in float64: slow (1 GFLOP/s), for the few that the projections cannot judge. */
import { chunkRange, dtypes, elementsOf, stripeRange, type MatrixMultSpec, type Striping } from '@muster/shared';
import { Sums } from './exact-sums.ts';
import type { ExactElement } from './arithmetic.ts';
import { FileBuffer, readPiece } from './file-buffer.ts';

export interface DirectSource {
  readonly spec: MatrixMultSpec;
  readonly a: Striping;
  /** Path of a block of A. */
  readonly aPath: (stripe: number, chunk: number) => string;
  /** The column stripe's blocks of B, by chunk, and its width. */
  readonly bPaths: readonly string[];
  readonly width: number;
}

/** Rows of C, and columns counted from the first of the stripe. */
export interface Selection {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
}

/** The elements are numbered row by row of the selection. */
export function exactElements(source: DirectSource, { rows, columns }: Selection): (at: number) => ExactElement {
  const sums = new Sums(source.spec.dtype, rows.length * columns.length);
  const buffer = new FileBuffer();
  for (const [chunk, path] of source.bPaths.entries()) {
    const [from, to] = chunkRange(source.a, chunk);
    const b = buffer.readElements(path, source.spec.dtype, (to - from) * source.width);
    for (const [at, row] of rows.entries()) {
      const a = rowOfA(source, row, chunk);
      for (let k = 0; k < a.length; k++) {
        sums.add(at * columns.length, { factor: a[k] as number, k: from + k, b, base: k * source.width, columns });
      }
    }
  }
  return (at) => sums.element(at, source.spec.k);
}

/** The part of a row of A that lies in one chunk. */
export function rowOfA({ spec, a, aPath }: DirectSource, row: number, chunk: number): ArrayLike<number> {
  const stripe = Math.floor(row / a.stripeSpan);
  const [from, to] = chunkRange(a, chunk);
  const bytes = (to - from) * dtypes[spec.dtype].bytes;
  const piece = Buffer.alloc(bytes);
  readPiece(aPath(stripe, chunk), (row - stripeRange(a, stripe)[0]) * bytes, piece);
  return elementsOf(spec.dtype, piece);
}
