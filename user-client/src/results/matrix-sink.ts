import { placeTile, zeros, type Dtype, type Elements, type Matrix } from '@muster/shared';
import type { Span } from '../operands/matrix-source.ts';

export interface ResultShape<T extends Dtype = Dtype> {
  readonly rows: number;
  readonly columns: number;
  readonly dtype: T;
}

/** Where the tiles of a product go, each once, in the order in which they arrive. */
export interface MatrixSink {
  /** A packed row-major tile; its memory is the caller's again when this returns. */
  place(rows: Span, columns: Span, tile: Elements): void;
  /** Every tile is placed. */
  complete?(): void;
  /** The task failed: what was placed is of no use. */
  discard?(): void;
}

/** Collects a product in memory; `elements` is whole when the task's `wait()` has resolved. */
export class MemorySink<T extends Dtype = Dtype> implements MatrixSink {
  readonly rows: number;
  readonly columns: number;
  readonly dtype: T;
  readonly elements: Elements<T>;

  /** `into`, row-major, spares the allocation: fresh memory costs 0.4 ms per MB. */
  constructor({ rows, columns, dtype }: ResultShape<T>, into: Elements<T> = zeros(dtype, rows * columns)) {
    this.rows = rows;
    this.columns = columns;
    this.dtype = dtype;
    this.elements = into;
  }

  place(rows: Span, columns: Span, tile: Elements): void {
    const result: Matrix = { elements: this.elements, rows: this.rows, columns: this.columns, fortran: false };
    placeTile(tile, { rows, columns }, result);
  }
}
