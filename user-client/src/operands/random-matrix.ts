import { seededRandom, zeros, type Elements, type OperandDtype } from '@muster/shared';
import type { MatrixSource, Shaped, Span } from './matrix-source.ts';

/** Prime, so that no usual row length makes rows repeat in step with it. */
const POOL = 65_537;

/**
 * The same test matrix for the same seed on every machine, however it is cut into blocks. Each row is a window into one pool of uniform
 * random numbers, at an offset drawn for that row: copying rows runs at memory speed, while drawing every element takes longer than
 * multiplying 2048 x 2048. Floats are in [-1, 1), int8 in [-128, 127].
 */
export class RandomMatrix implements MatrixSource {
  readonly rows: number;
  readonly columns: number;
  readonly dtype: OperandDtype;
  readonly #pool: Elements;
  readonly #starts: Uint32Array;

  constructor(seed: number, { rows, columns, dtype }: Shaped) {
    this.rows = rows;
    this.columns = columns;
    this.dtype = dtype;
    const random = seededRandom(seed);
    const draw = dtype === 'int8' ? () => Math.floor(random() * 256) - 128 : () => random() * 2 - 1;
    // One row longer than POOL, so that no row wraps.
    this.#pool = zeros(dtype, POOL + columns);
    this.#pool.set(Array.from({ length: POOL }, draw));
    this.#pool.set(this.#pool.subarray(0, Math.min(columns, POOL)), POOL);
    this.#starts = Uint32Array.from({ length: rows }, () => Math.floor(random() * POOL));
  }

  readBlock([top, bottom]: Span, [left, right]: Span, into: Elements): void {
    const width = right - left;
    for (let row = top; row < bottom; row++) {
      const at = (this.#starts[row] ?? 0) + left;
      into.set(this.#pool.subarray(at, at + width), (row - top) * width);
    }
  }
}
