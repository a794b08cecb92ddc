import { npyArrayHeader, rowBytes, type InferPort } from '@muster/shared';
import { PartFile } from '../results/part-file.ts';
import { npyDescr } from './npy-dtypes.ts';
import type { RowSink } from './row-source.ts';

/** Collects the rows of a result in a `.npy` file, which appears once every row is placed. */
export class NpyRowSink implements RowSink {
  readonly #file: PartFile;
  readonly #headerBytes: number;
  readonly #rowBytes: number;

  /** `output` is the model's output for one row. Throws BAD_DATA when the file cannot be written, DISK_FULL without room. */
  constructor(path: string, rows: number, output: Pick<InferPort, 'shape' | 'dtype'>) {
    const header = npyArrayHeader(npyDescr[output.dtype], [rows, ...output.shape]);
    this.#headerBytes = header.length;
    this.#rowBytes = rowBytes({ name: '', ...output });
    this.#file = new PartFile(path, header.length + rows * this.#rowBytes);
    this.#file.write(header, 0);
  }

  placeRows(from: number, _to: number, rows: Uint8Array): void {
    this.#file.write(rows, this.#headerBytes + from * this.#rowBytes);
  }

  complete(): void {
    this.#file.complete();
  }

  discard(): void {
    this.#file.discard();
  }
}
