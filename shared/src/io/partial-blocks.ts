import { closeSync, openSync, rmSync } from 'node:fs';
import { MusterError } from '../errors.ts';
import type { BlockId } from '../ids.ts';
import { addByteRange, coversAll, type ByteRangeSet } from './byte-ranges.ts';
import { hashFile } from './hash-file.ts';
import { writePieces } from './write-pieces.ts';

/** A piece of a block as received over a socket. */
export interface BlockChunk {
  readonly id: BlockId;
  readonly offset: number;
  /** Length of the whole block. */
  readonly total: number;
  readonly bytes: Uint8Array;
}

interface Partial {
  readonly path: string;
  readonly total: number;
  /** Open file, or -1 while it is closed to stay within the bound. */
  file: number;
  there: ByteRangeSet;
}

/** Far below the usual 1024 per process; a sender has only a few blocks in flight. */
const OPEN_FILES_MAX = 64;

/** Blocks that are only partly received. Chunks may come in any order, and more than once. */
export class PartialBlocks {
  readonly #pathOf: (id: BlockId) => string;
  /** The least recently written first. */
  readonly #partials = new Map<BlockId, Partial>();
  #bytes = 0;

  constructor(pathOf: (id: BlockId) => string) {
    this.#pathOf = pathOf;
  }

  /** Sum of the complete sizes of these blocks. */
  get bytes(): number {
    return this.#bytes;
  }

  has(id: BlockId): boolean {
    return this.#partials.has(id);
  }

  /** Least recently written first. Blocks may be dropped while iterating. */
  ids(): Iterable<BlockId> {
    return this.#partials.keys();
  }

  /** True when the block is complete. Throws PROTOCOL for a chunk that does not fit its block. */
  write({ id, offset, total, bytes }: BlockChunk): boolean {
    const partial = this.#partials.get(id) ?? { path: this.#pathOf(id), total, file: -1, there: [] };
    if (partial.total !== total || offset + bytes.length > total) {
      const why = `bytes ${offset} to ${offset + bytes.length} of ${total}; the block was announced with ${partial.total}`;
      throw new MusterError('PROTOCOL', 'a chunk does not fit its block', { why });
    }
    this.#open(id, partial);
    writePieces(partial.file, bytes, offset);
    partial.there = addByteRange(partial.there, offset, offset + bytes.length);
    return coversAll(partial.there, total);
  }

  /** Path of the complete file. Throws BAD_DATA, and drops the block, if its hash is not its id. */
  finish(id: BlockId): string {
    const partial = this.#partials.get(id);
    if (partial === undefined) throw new MusterError('BUG', `block ${id} is not being received`);
    const hash = hashFile(partial.file);
    if (hash !== id) {
      this.drop(id);
      throw new MusterError('BAD_DATA', 'a block arrived damaged', { why: `it should be ${id} and is ${hash}` });
    }
    this.#forget(id, partial);
    return partial.path;
  }

  drop(id: BlockId): void {
    const partial = this.#partials.get(id);
    if (partial === undefined) return;
    this.#forget(id, partial);
    rmSync(partial.path, { force: true });
  }

  #open(id: BlockId, partial: Partial): void {
    if (partial.file < 0) {
      this.#closeOldest();
      partial.file = openSync(partial.path, this.has(id) ? 'r+' : 'w+', 0o600);
    }
    if (!this.#partials.delete(id)) this.#bytes += partial.total;
    this.#partials.set(id, partial);
  }

  #closeOldest(): void {
    const open = [...this.#partials.values()].filter(({ file }) => file >= 0);
    const [oldest] = open;
    if (open.length < OPEN_FILES_MAX || oldest === undefined) return;
    closeSync(oldest.file);
    oldest.file = -1;
  }

  #forget(id: BlockId, partial: Partial): void {
    if (partial.file >= 0) closeSync(partial.file);
    this.#partials.delete(id);
    this.#bytes -= partial.total;
  }
}
