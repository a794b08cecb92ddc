/** What every tile's projection should be: A (B X), for all column stripes in one pass over A. */
import { randomFillSync } from 'node:crypto';
import {
  blockNumber,
  chunkRange,
  stripeRange,
  stripingOfA,
  type MatrixMultSpec,
  type OperandDtype,
  type Striping,
} from '@muster/shared';
import { PROBE_VECTORS } from './probe.ts';
import { vectorFor, type LeftMatrix, type Products, type Vector } from './products.ts';
import type { FileBuffer } from './file-buffer.ts';
import { rootMeanSquare } from './root-mean-square.ts';
import type { StripeProbe } from './stripe-probe.ts';

/**
 * Extra columns of W that measure each row's size: with signs drawn anew, w = sign * |row of B|, the root mean square of A w is that of
 * the row's elements of C if nothing cancelled. Six of them miss it by a factor of 10 once in 200,000 rows, and up to 16 columns
 * more cost nothing beside the pass over A.
 */
const SIZE_COLUMNS = 6;

export class Expectation {
  readonly #stripeSpan: number;
  readonly #width: number;
  /** By row stripe: rows x width. */
  readonly #products: readonly Vector[];
  /** Root mean square of each row's size columns; not finite when A or sums are not. */
  readonly #rowSizes: Float64Array;

  constructor(striping: Striping, { width, sizes, products }: ExpectedProducts) {
    this.#stripeSpan = striping.stripeSpan;
    this.#width = width;
    this.#products = products;
    this.#rowSizes = new Float64Array(striping.span);
    if (sizes > 0) this.#measureRows(sizes);
  }

  /** For each of the consecutive rows that were projected, the largest |projection - expected|; NaN when one of them is. */
  residuals(projected: Float64Array, { top, column }: { readonly top: number; readonly column: number }): Float64Array {
    const residuals = new Float64Array(projected.length / PROBE_VECTORS);
    for (let row = 0; row < residuals.length; row++) {
      const stripe = Math.floor((top + row) / this.#stripeSpan);
      const products = this.#products[stripe] as Vector;
      const first = (top + row - stripe * this.#stripeSpan) * this.#width + column * PROBE_VECTORS;
      const at = row * PROBE_VECTORS;
      residuals[row] = Math.max(
        Math.abs((projected[at] as number) - (products[first] as number)),
        Math.abs((projected[at + 1] as number) - (products[first + 1] as number)),
      );
    }
    return residuals;
  }

  /** The root mean square of the row's elements of C, for a stripe of B with root mean square 1 and if nothing cancelled. */
  rowSize(row: number): number {
    return this.#rowSizes[row] as number;
  }

  #measureRows(sizes: number): void {
    for (const [stripe, products] of this.#products.entries()) {
      const rows = products.length / this.#width;
      for (let row = 0; row < rows; row++) {
        const end = (row + 1) * this.#width;
        this.#rowSizes[stripe * this.#stripeSpan + row] = rootMeanSquare(products, end - sizes, end);
      }
    }
  }
}

interface ExpectedProducts {
  readonly width: number;
  /** The number of size columns, which are the last ones. */
  readonly sizes: number;
  readonly products: readonly Vector[];
}

export interface ExpectationTools {
  readonly products: Products;
  readonly operandBuffer: FileBuffer;
}

/** Reads all of A once. */
export async function expectationOf(
  { spec, aPaths }: { readonly spec: MatrixMultSpec; readonly aPaths: readonly string[] },
  probes: readonly StripeProbe[],
  tools: ExpectationTools,
): Promise<Expectation> {
  const striping = stripingOfA(spec);
  const right = rightMatrix(spec, probes);
  const products: Vector[] = [];
  for (let stripe = 0; stripe < striping.stripes; stripe++) {
    const [top, bottom] = stripeRange(striping, stripe);
    const sum = vectorFor(spec.dtype, (bottom - top) * right.width);
    for (let chunk = 0; chunk < striping.chunks; chunk++) {
      const [from, to] = chunkRange(striping, chunk);
      const path = aPaths[blockNumber(striping, stripe, chunk)] ?? '';
      const block = readBlock(tools.operandBuffer, path, { dtype: spec.dtype, rows: bottom - top, depth: to - from });
      addTo(sum, await tools.products.multiply(block, right.elements.subarray(from * right.width, to * right.width)));
    }
    products.push(sum);
  }
  return new Expectation(striping, { ...right, products });
}

function readBlock(
  buffer: FileBuffer,
  path: string,
  shape: Omit<LeftMatrix, 'elements'> & { dtype: OperandDtype },
): LeftMatrix {
  return { ...shape, elements: buffer.readElements(path, shape.dtype, shape.rows * shape.depth) };
}

function addTo(sum: Vector, terms: Vector): void {
  for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + (terms[at] as number);
}

interface RightMatrix {
  readonly width: number;
  readonly sizes: number;
  readonly elements: Vector;
}

/** W (K x width): two columns for each stripe of B, and for floating point those that measure sizes. */
function rightMatrix(spec: MatrixMultSpec, probes: readonly StripeProbe[]): RightMatrix {
  const sizes = spec.dtype === 'int8' ? 0 : SIZE_COLUMNS;
  const width = probes.length * PROBE_VECTORS + sizes;
  const elements = vectorFor(spec.dtype, spec.k * width);
  for (const [column, { projected, projectedRms }] of probes.entries()) {
    if (!Number.isFinite(projectedRms)) continue;
    for (let k = 0; k < spec.k; k++) {
      for (let vector = 0; vector < PROBE_VECTORS; vector++) {
        elements[k * width + column * PROBE_VECTORS + vector] = projected[k * PROBE_VECTORS + vector] as number;
      }
    }
  }
  if (sizes > 0) fillSizes(elements, width, rowProfile(spec.k, probes));
  return { width, sizes, elements };
}

function fillSizes(elements: Vector, width: number, profile: Float64Array): void {
  const signs = randomFillSync(new Uint8Array(profile.length));
  for (let k = 0; k < profile.length; k++) {
    for (let size = 0; size < SIZE_COLUMNS; size++) {
      const sign = (((signs[k] as number) >> size) & 1) === 0 ? 1 : -1;
      elements[(k + 1) * width - 1 - size] = sign * (profile[k] as number);
    }
  }
}

/** Root mean square of each row of B over its stripes, each stripe scaled to 1 over all its rows. */
function rowProfile(depth: number, probes: readonly StripeProbe[]): Float64Array {
  const profile = new Float64Array(depth);
  const usable = probes.filter(({ projectedRms }) => projectedRms > 0 && projectedRms < Infinity);
  for (const { projected, projectedRms: whole } of usable) {
    for (let k = 0; k < depth; k++) {
      const [first, second] = [(projected[2 * k] as number) / whole, (projected[2 * k + 1] as number) / whole];
      profile[k] = (profile[k] as number) + (first * first + second * second) / (PROBE_VECTORS * usable.length);
    }
  }
  return profile.map(Math.sqrt);
}
