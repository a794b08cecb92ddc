import { blockByteRanges, bytesOf, dtypes, npyHeader, type Elements } from '@muster/shared';
import type { Span } from '../operands/matrix-source.ts';
import { MemorySink, type MatrixSink, type ResultShape } from './matrix-sink.ts';
import { PartFile } from './part-file.ts';

/** Results up to this size are assembled in memory: a write costs 3 us for each row of a tile, 50 ms for 2048 x 2048. */
const ASSEMBLED_BYTES_MAX = 64 * 2 ** 20;

/** Collects a product in a `.npy` file (C order), which appears once every tile is placed. */
export class NpyResultFile implements MatrixSink {
  readonly #shape: ResultShape;
  readonly #file: PartFile;
  readonly #headerBytes: number;
  readonly #assembled: MemorySink | null;

  /** Throws BAD_DATA when the file cannot be written and DISK_FULL when there is no room for its header. */
  constructor(path: string, shape: ResultShape) {
    this.#shape = shape;
    const elementBytes = shape.rows * shape.columns * dtypes[shape.dtype].bytes;
    const header = npyHeader(shape.dtype, [shape.rows, shape.columns]);
    this.#headerBytes = header.length;
    this.#file = new PartFile(path, header.length + elementBytes);
    this.#file.write(header, 0);
    this.#assembled = elementBytes <= ASSEMBLED_BYTES_MAX ? new MemorySink(shape) : null;
  }

  get path(): string {
    return this.#file.path;
  }

  place(rows: Span, columns: Span, tile: Elements): void {
    if (this.#assembled !== null) this.#assembled.place(rows, columns, tile);
    else this.#writeTile({ rows, columns }, bytesOf(tile));
  }

  complete(): void {
    if (this.#assembled !== null) this.#file.write(bytesOf(this.#assembled.elements), this.#headerBytes);
    this.#file.complete();
  }

  discard(): void {
    this.#file.discard();
  }

  #writeTile(region: { rows: Span; columns: Span }, tile: Uint8Array): void {
    const { rows, columns, dtype } = this.#shape;
    const stored = { rows, columns, fortran: false, elementBytes: dtypes[dtype].bytes, dataOffset: this.#headerBytes };
    const { first, length, stride, count } = blockByteRanges(stored, region);
    for (let piece = 0; piece < count; piece++)
      this.#file.write(tile.subarray(piece * length, (piece + 1) * length), first + piece * stride);
  }
}
