import { copyBlock, MusterError, type Elements, type Matrix, type OperandDtype } from '@muster/shared';

/** [from, to), the end excluded. */
export type Span = readonly [from: number, to: number];

export interface MatrixShape {
  readonly rows: number;
  readonly columns: number;
}

export interface Shaped extends MatrixShape {
  readonly dtype: OperandDtype;
}

/** Supplies the elements of an operand. Blocks are read one at a time, in any order. */
export interface MatrixSource extends Shaped {
  /** Fills `into`, which has exactly the right length, with the block, packed and row-major. */
  readBlock(rows: Span, columns: Span, into: Elements): void | Promise<void>;
  /**
   * The block as it lies in memory if it is packed there already; null if it must be copied. The elements must not change until the
   * upload has ended.
   */
  view?(rows: Span, columns: Span): Elements | null;
}

function dtypeOf(elements: Elements): OperandDtype {
  if (elements instanceof Float32Array) return 'float32';
  if (elements instanceof Float64Array) return 'float64';
  if (elements instanceof Int8Array) return 'int8';
  throw new MusterError('USAGE', 'an operand is float32, float64 or int8', {
    why: `got an ${elements.constructor.name}`,
    fix: 'give a Float32Array, a Float64Array or an Int8Array',
  });
}

/** A row-major matrix over a typed array, which is not copied. */
export class MemoryMatrix implements MatrixSource {
  readonly rows: number;
  readonly columns: number;
  readonly dtype: OperandDtype;
  readonly #matrix: Matrix;

  constructor(elements: Elements, { rows, columns }: MatrixShape) {
    if (elements.length !== rows * columns) {
      throw new MusterError('SHAPE_MISMATCH', 'the elements do not fill the matrix', {
        why: `${elements.length} elements for ${rows} x ${columns}`,
      });
    }
    this.dtype = dtypeOf(elements);
    this.rows = rows;
    this.columns = columns;
    this.#matrix = { elements, rows, columns, fortran: false };
  }

  view([top, bottom]: Span, [left, right]: Span): Elements | null {
    if (right - left !== this.columns && bottom - top !== 1) return null;
    return this.#matrix.elements.subarray(top * this.columns + left, (bottom - 1) * this.columns + right);
  }

  readBlock(rows: Span, columns: Span, into: Elements): void {
    copyBlock(this.#matrix, { rows, columns }, into);
  }
}
