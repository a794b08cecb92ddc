import { blockByteRanges, bytesOf, dtypes, MusterError, npyHeader, type Elements } from '@muster/shared';
import { closeSync, ftruncateSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileError } from '../file-error.ts';
import type { Span } from '../operands/matrix-source.ts';
import { MemorySink, type MatrixSink, type ResultShape } from './matrix-sink.ts';

/** Up to this size a result is put together in memory: a write costs 3 us for each row of a tile, 50 ms for 2048 x 2048. */
const ASSEMBLED_BYTES_MAX = 64 * 2 ** 20;

/**
 * Collects a product in a `.npy` file (C order). The bytes go to a file of another name beside it, which takes the wanted name when
 * every tile is placed: a reader sees the whole result or none, and a result that was there stays until then.
 */
export class NpyResultFile implements MatrixSink {
  readonly path: string;
  private readonly shape: ResultShape;
  private readonly partPath: string;
  private readonly fd: number;
  private readonly headerBytes: number;
  private readonly assembled: MemorySink | null;
  private open = true;

  /** Throws BAD_DATA when the file cannot be written and DISK_FULL when there is no room for its header. */
  constructor(path: string, shape: ResultShape) {
    this.path = path;
    this.shape = shape;
    this.partPath = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
    const elementBytes = shape.rows * shape.columns * dtypes[shape.dtype].bytes;
    const header = npyHeader(shape.dtype, [shape.rows, shape.columns]);
    this.headerBytes = header.length;
    checkReplaceable(path);
    this.fd = this.attempt(() => openSync(this.partPath, 'w'));
    this.attempt(() => {
      this.write(header, 0);
      ftruncateSync(this.fd, header.length + elementBytes);
    });
    this.assembled = elementBytes <= ASSEMBLED_BYTES_MAX ? new MemorySink(shape) : null;
  }

  place(rows: Span, columns: Span, tile: Elements): void {
    if (this.assembled !== null) this.assembled.place(rows, columns, tile);
    else this.attempt(() => this.writeTile({ rows, columns }, bytesOf(tile)));
  }

  complete(): void {
    this.attempt(() => {
      if (this.assembled !== null) this.write(bytesOf(this.assembled.elements), this.headerBytes);
      this.close();
      renameSync(this.partPath, this.path);
    });
  }

  discard(): void {
    this.close();
    rmSync(this.partPath, { force: true });
  }

  private writeTile(region: { rows: Span; columns: Span }, tile: Uint8Array): void {
    const { rows, columns, dtype } = this.shape;
    const stored = { rows, columns, fortran: false, elementBytes: dtypes[dtype].bytes, dataOffset: this.headerBytes };
    const { first, length, stride, count } = blockByteRanges(stored, region);
    for (let piece = 0; piece < count; piece++)
      this.write(tile.subarray(piece * length, (piece + 1) * length), first + piece * stride);
  }

  private write(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length;)
      done += writeSync(this.fd, bytes, done, bytes.length - done, position + done);
  }

  private close(): void {
    if (this.open) closeSync(this.fd);
    this.open = false;
  }

  private attempt<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw fileError(error, `${this.path} cannot be written`);
    }
  }
}

/** The last step is a rename, which would replace a device and cannot replace a directory. */
function checkReplaceable(path: string): void {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there === undefined || there.isFile()) return;
  throw new MusterError('BAD_DATA', `${path} cannot be written`, {
    why: there.isDirectory() ? 'it is a directory' : 'it is not a regular file',
    fix: `give a file name: --out ${join(path, 'C.npy')}`,
  });
}
