import { placeTile, zeros, type Dtype, type Elements, type Matrix } from '@muster/shared';
import type { Span } from '../operands/matrix-source.ts';

export interface ResultShape<T extends Dtype = Dtype> {
  readonly rows: number;
  readonly columns: number;
  readonly dtype: T;
}

/** Receives the tiles of a product, each once, in the order of their arrival. */
export interface MatrixSink {
  /** `tile` is packed and row-major, and must not be kept after returning. */
  place(rows: Span, columns: Span, tile: Elements): void;
  /** Called when every tile is placed. */
  complete?(): void;
  /** Called when the task fails: what was placed is useless. */
  discard?(): void;
}

/** Collects a product in memory; `elements` is complete once the task's `wait()` has resolved. */
export class MemorySink<T extends Dtype = Dtype> implements MatrixSink {
  readonly rows: number;
  readonly columns: number;
  readonly dtype: T;
  readonly elements: Elements<T>;

  /** `into`, row-major, saves the allocation: fresh memory costs 0.4 ms per MB. */
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
