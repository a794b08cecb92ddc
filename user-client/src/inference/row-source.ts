import type { InferPort } from '@muster/shared';

/** Rows for a model to be run on. */
export interface RowSource {
  readonly rows: number;
  /** Of one row. */
  readonly shape: readonly number[];
  readonly dtype: InferPort['dtype'];
  /** Fills `into` with the rows [from, to), row-major and little-endian; it is exactly as long as they are. */
  readRows(from: number, to: number, into: Uint8Array): void | Promise<void>;
}

/** Where the rows of a result go: each block of them once, in the order in which they arrive. */
export interface RowSink {
  /** The rows [from, to), as they lie in the blocks of a source; their memory is the caller's again when this returns. */
  placeRows(from: number, to: number, rows: Uint8Array): void;
  /** Every row is placed. */
  complete?(): void;
  /** The task failed: what was placed is of no use. */
  discard?(): void;
}

/** Collects the rows of a result in memory; `bytes` is whole when the task's `wait()` has resolved. */
export class MemoryRows implements RowSink {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #rowBytes: number;

  constructor({ rows, rowBytes }: { readonly rows: number; readonly rowBytes: number }) {
    this.#rowBytes = rowBytes;
    this.bytes = new Uint8Array(rows * rowBytes);
  }

  placeRows(from: number, _to: number, rows: Uint8Array): void {
    this.bytes.set(rows, from * this.#rowBytes);
  }
}
