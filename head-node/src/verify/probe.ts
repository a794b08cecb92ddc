import { randomFillSync } from 'node:crypto';
import type { OperandDtype } from '@muster/shared';
import type { LeftMatrix, Products, Vector } from './products.ts';
import { rootMeanSquare } from './root-mean-square.ts';

/** Two vectors for each stripe: with one, an error of a single element hides behind a component near zero. */
export const PROBE_VECTORS = 2;

/** Random vectors X (columns x 2). Secret: a provider sees nothing that depends on them, except whether its results are accepted. */
export interface Probe {
  /** One matrix (columns x 2), or two vectors: two thin float32 products are faster than one of two columns (0.44 to 0.67 ms). */
  readonly parts: readonly Vector[];
}

/** Gaussian for floating point; non-zero integers for integers, so that an error in one element is always detected. */
export function drawProbe(dtype: OperandDtype, { columns, depth }: { columns: number; depth: number }): Probe {
  const count = columns * PROBE_VECTORS;
  const values = dtype === 'int8' ? randomWholes(count, wholeMax(columns, depth)) : gaussians(count);
  if (dtype !== 'float32') return { parts: [values] };
  const parts = [values.subarray(0, columns), values.subarray(columns)];
  return { parts: parts.map((part) => Float32Array.from(part)) };
}

/** left (rows x columns) * X, as rows x 2. */
export async function project(products: Products, left: LeftMatrix, { parts }: Probe): Promise<Float64Array> {
  const projected = new Float64Array(left.rows * PROBE_VECTORS);
  if (parts.length === 1) {
    projected.set(await products.multiply(left, parts[0] as Vector));
    return projected;
  }
  for (const [vector, part] of parts.entries()) {
    const product = await products.multiply(left, part);
    for (let row = 0; row < left.rows; row++) projected[row * PROBE_VECTORS + vector] = product[row] as number;
  }
  return projected;
}

/** One row times X, and the row's root mean square, in float64. */
export function projectRow(
  { elements, depth }: LeftMatrix,
  row: number,
  { parts }: Probe,
): { readonly projections: Float64Array; readonly rms: number } {
  const from = row * depth;
  const projections = new Float64Array(PROBE_VECTORS);
  for (let vector = 0; vector < PROBE_VECTORS; vector++) {
    const [part, offset, step] = componentsOf(parts, vector);
    let sum = 0;
    for (let at = 0; at < depth; at++) sum += (elements[from + at] as number) * (part[offset + at * step] as number);
    projections[vector] = sum;
  }
  return { projections, rms: rootMeanSquare(elements, from, from + depth) };
}

/** Where the vector's components are: [array, first, step]. */
const componentsOf = (parts: readonly Vector[], vector: number): readonly [Vector, number, number] =>
  parts.length === 1 ? [parts[0] as Vector, vector, PROBE_VECTORS] : [parts[vector] as Vector, 0, 1];

/**
 * Bound of the components so that no sum reaches 2^53, where float64 stops being exact: |A B X| <= 2^7 2^7 K N max, and
 * |C X| <= 2^31 N max for whatever int32 a provider returns.
 */
export const wholeMax = (columns: number, depth: number): number =>
  Math.min(2 ** 15, Math.floor(2 ** 53 / (2 ** 14 * depth * columns)), Math.floor(2 ** 53 / (2 ** 31 * columns)));

function randomWholes(count: number, max: number): Float64Array {
  const words = randomFillSync(new Uint32Array(count));
  return Float64Array.from(words, (word) => (1 + ((word >>> 1) % max)) * ((word & 1) === 0 ? 1 : -1));
}

/** By the Box-Muller transform. */
function gaussians(count: number): Float64Array {
  const words = randomFillSync(new Uint32Array(count + (count % 2)));
  const values = new Float64Array(count);
  for (let at = 0; at < count; at += 2) {
    const radius = Math.sqrt(-2 * Math.log(((words[at] as number) + 1) / 2 ** 32));
    const angle = ((words[at + 1] as number) / 2 ** 32) * 2 * Math.PI;
    values[at] = radius * Math.cos(angle);
    if (at + 1 < count) values[at + 1] = radius * Math.sin(angle);
  }
  return values;
}
