import type { InferPort } from '@muster/shared';

/** Rows to run a model on. */
export interface RowSource {
  readonly rows: number;
  /** Shape of one row. */
  readonly shape: readonly number[];
  readonly dtype: InferPort['dtype'];
  /** Fills `into`, which has exactly the right length, with the rows [from, to), row-major and little-endian. */
  readRows(from: number, to: number, into: Uint8Array): void | Promise<void>;
}

/** Receives the rows of a result in blocks, each once, in the order of their arrival. */
export interface RowSink {
  /** The rows [from, to), laid out as in `RowSource.readRows`; `rows` must not be kept after returning. */
  placeRows(from: number, to: number, rows: Uint8Array): void;
  /** Called when every row is placed. */
  complete?(): void;
  /** Called when the task fails: what was placed is useless. */
  discard?(): void;
}

/** Collects the rows of a result in memory; `bytes` is complete once the task's `wait()` has resolved. */
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
