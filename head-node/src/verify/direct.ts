/** Elements of C from their definition, in float64: slow (1 GFLOP/s), for the few that the projections cannot judge. */
import { chunkRange, dtypes, elementsOf, stripeRange, type MatrixMultSpec, type Striping } from '@muster/shared';
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

/** Row by row of the selection. */
export function exactElements(source: DirectSource, { rows, columns }: Selection): (at: number) => ExactElement {
  const sums = {
    exact: new Float64Array(rows.length * columns.length),
    magnitude: new Float64Array(rows.length * columns.length),
  };
  const buffer = new FileBuffer();
  for (const [chunk, path] of source.bPaths.entries()) {
    const [from, to] = chunkRange(source.a, chunk);
    const b = buffer.readElements(path, source.spec.dtype, (to - from) * source.width);
    for (const [at, row] of rows.entries()) {
      const a = rowOfA(source, row, chunk);
      for (let k = 0; k < a.length; k++) {
        addProducts(sums, at * columns.length, { factor: a[k] as number, b, base: k * source.width, columns });
      }
    }
  }
  return (at) => ({ exact: sums.exact[at] as number, magnitude: sums.magnitude[at] as number });
}

interface Term {
  readonly factor: number;
  readonly b: ArrayLike<number>;
  readonly base: number;
  readonly columns: readonly number[];
}

interface Sums {
  readonly exact: Float64Array;
  readonly magnitude: Float64Array;
}

function addProducts({ exact, magnitude }: Sums, first: number, { factor, b, base, columns }: Term): void {
  for (let at = 0; at < columns.length; at++) {
    const product = factor * (b[base + (columns[at] as number)] as number);
    exact[first + at] = (exact[first + at] as number) + product;
    magnitude[first + at] = (magnitude[first + at] as number) + Math.abs(product);
  }
}

function rowOfA({ spec, a, aPath }: DirectSource, row: number, chunk: number): ArrayLike<number> {
  const stripe = Math.floor(row / a.stripeSpan);
  const [from, to] = chunkRange(a, chunk);
  const bytes = (to - from) * dtypes[spec.dtype].bytes;
  const piece = Buffer.alloc(bytes);
  readPiece(aPath(stripe, chunk), (row - stripeRange(a, stripe)[0]) * bytes, piece);
  return elementsOf(spec.dtype, piece);
}
