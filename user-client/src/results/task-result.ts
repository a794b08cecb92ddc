import { dtypes, elementsOf } from '@muster/shared';
import type { Span } from '../operands/matrix-source.ts';
import type { MatrixSink, ResultShape } from './matrix-sink.ts';

/** Receives the tiles of a task's result as bytes, each once, in the order of their arrival. */
export interface TaskResult {
  readonly rows: number;
  readonly columns: number;
  readonly elementBytes: number;
  /** `tile` is packed and row-major, and must not be kept after returning. */
  place(rows: Span, columns: Span, tile: Uint8Array): void;
  /** Called when every tile is placed. */
  complete(): void;
  /** Called when the task fails: what was placed is useless. */
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
