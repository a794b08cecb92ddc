/**
 * Matrices of few binary digits, so that float32 and float64 hold every sum of products exactly: a product of any size can then be checked
 * for equality, in time proportional to the operands.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { seededRandom } from '../random.ts';
import { bytesOf, elementsOf, zeros, type Elements, type OperandDtype } from '../tensor/dtype.ts';
import { npyHeader, parseNpyHeader } from '../tensor/npy.ts';

/** Sums of up to this many products of two four-bit numbers fit the 24 bits of a float32's significand. */
const INNER_MAX = 2 ** 18;
const STEPS = 16;

export interface ExactMatrix {
  readonly dtype: OperandDtype;
  readonly rows: number;
  readonly columns: number;
  readonly seed: number;
}

/** Writes a `.npy` file of the sixteenths from -1/2 to 7/16, or for int8 of the numbers from -8 to 7. */
export function writeExactMatrix(path: string, { dtype, rows, columns, seed }: ExactMatrix): string {
  const elements = zeros(dtype, rows * columns);
  scatter(elements, { seed, step: dtype === 'int8' ? 1 : 1 / STEPS });
  writeFileSync(path, Buffer.concat([npyHeader(dtype, [rows, columns]), bytesOf(elements)]));
  return path;
}

/** Marsaglia's xorshift, 32 bits. Nothing global is read in the loop: in Jest's realm each such look-up costs 100 ns. */
function scatter(elements: Elements, { seed, step }: { seed: number; step: number }): void {
  let state = (seed + 1) * 0x9e3779b1;
  for (let at = 0; at < elements.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    elements[at] = step * ((state & (STEPS - 1)) - STEPS / 2);
  }
}

export interface ProductFiles {
  readonly a: string;
  readonly b: string;
  readonly c: string;
}

/**
 * Rows of C that differ from those of A * B, found by C x = A (B x). No element of x is zero, so a row with a single wrong element is
 * always found.
 */
export function wrongRows({ a, b, c }: ProductFiles): number[] {
  const [left, right, product] = [a, b, c].map(readMatrix) as [Matrix, Matrix, Matrix];
  const [inner, columns] = [left.columns, right.columns];
  if (right.rows !== inner || product.rows !== left.rows || product.columns !== columns || inner > INNER_MAX) {
    throw new Error(`${a}, ${b} and ${c} do not fit each other`);
  }
  const probe = new Float64Array(columns);
  const random = seededRandom(99);
  for (let at = 0; at < columns; at++) probe[at] = 1 + Math.floor(random() * 16);
  const expected = times(left, times(right, probe));
  const found = times(product, probe);
  return [...expected.keys()].filter((row) => found[row] !== expected[row]);
}

interface Matrix {
  readonly elements: Elements;
  readonly rows: number;
  readonly columns: number;
}

function readMatrix(path: string): Matrix {
  const bytes = readFileSync(path);
  const { dtype, shape, dataOffset } = parseNpyHeader(bytes, path);
  return { elements: elementsOf(dtype, bytes.subarray(dataOffset)), rows: shape[0], columns: shape[1] };
}

function times({ elements, rows, columns }: Matrix, vector: Float64Array): Float64Array {
  const sums = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let column = 0; column < columns; column++)
      sum += (elements[row * columns + column] as number) * (vector[column] as number);
    sums[row] = sum;
  }
  return sums;
}
