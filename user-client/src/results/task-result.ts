import { dtypes, elementsOf } from '@muster/shared';
import type { Span } from '../operands/matrix-source.ts';
import type { MatrixSink, ResultShape } from './matrix-sink.ts';

/** Where the tiles of a task's result go, as bytes: each once, in the order in which they arrive. */
export interface TaskResult {
  readonly rows: number;
  readonly columns: number;
  readonly elementBytes: number;
  /** A packed row-major tile; its memory is the caller's again when this returns. */
  place(rows: Span, columns: Span, tile: Uint8Array): void;
  /** Every tile is placed. */
  complete(): void;
  /** The task failed: what was placed is of no use. */
  discard(): void;
}

export const matrixResult = ({ rows, columns, dtype }: ResultShape, sink: MatrixSink): TaskResult => ({
  rows,
  columns,
  elementBytes: dtypes[dtype].bytes,
  place: (down, across, tile) => sink.place(down, across, elementsOf(dtype, tile)),
  complete: () => sink.complete?.(),
  discard: () => sink.discard?.(),
});
