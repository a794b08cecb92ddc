/**
 * Results on their way in: one file for each lease in the store's `incoming` folder, written by peers that share the store or, chunk by
 * chunk, from here. A file is deleted with its lease, and with its task at the latest; what a peer writes after that is deleted by `sweep`.
 * Blocks that the trainer made and the store did not take over are deleted with their task too.
 */
import type { SessionId, TaskId } from '@muster/shared';
import {
  addByteRange,
  coversAll,
  incomingResultName,
  taskOfIncoming,
  taskOfIncomingBlock,
  writePieces,
  type BlockStore,
  type ByteRangeSet,
} from '@muster/shared/io';
import { closeSync, openSync, rmSync, statSync } from 'node:fs';

export interface IncomingLease {
  readonly task: TaskId;
  readonly lease: number;
}

/** A result that comes in chunks. A node that registers again sends it again from the start, in its new session. */
export interface ChunkedResult extends IncomingLease {
  readonly session: SessionId;
}

interface OpenFile {
  readonly task: TaskId;
  readonly session: SessionId;
  readonly file: number;
  /** Byte ranges that have been received. */
  ranges: ByteRangeSet;
}

export class IncomingResults {
  readonly #blocks: BlockStore;
  /** Files of results that come in chunks, by lease. */
  readonly #open = new Map<number, OpenFile>();

  constructor(blocks: BlockStore) {
    this.#blocks = blocks;
  }

  pathOf({ task, lease }: IncomingLease): string {
    return this.#blocks.incomingPath(incomingResultName(task, lease));
  }

  /** Undefined when there is no such file. */
  bytesOf(result: IncomingLease): number | undefined {
    return statSync(this.pathOf(result), { throwIfNoEntry: false })?.size;
  }

  write(result: ChunkedResult, bytes: Uint8Array, offset: number): void {
    const open = this.#fileOf(result);
    writePieces(open.file, bytes, offset);
    open.ranges = addByteRange(open.ranges, offset, offset + bytes.length);
  }

  /**
   * Have all bytes come? The length of the file does not tell: when a broken connection loses chunks, later ones still extend the file to
   * its full length.
   */
  isWhole({ lease, session }: ChunkedResult, bytes: number): boolean {
    const open = this.#open.get(lease);
    return open?.session === session && coversAll(open.ranges, bytes);
  }

  /** Closes the lease's file: no more chunks come. */
  close(lease: number): void {
    const open = this.#open.get(lease);
    this.#open.delete(lease);
    if (open !== undefined) closeSync(open.file);
  }

  discard(result: IncomingLease): void {
    this.close(result.lease);
    rmSync(this.pathOf(result), { force: true });
  }

  /** The result has been read: its file is reused for the next one of its size. */
  recycle(result: IncomingLease): void {
    this.close(result.lease);
    this.#blocks.recycleIncoming(incomingResultName(result.task, result.lease));
  }

  end(task: TaskId): void {
    for (const [lease, open] of this.#open) if (open.task === task) this.close(lease);
    this.#remove((owner) => owner === task);
  }

  sweep(isOpen: (task: TaskId) => boolean): void {
    this.#remove((task) => !isOpen(task));
  }

  closeAll(): void {
    for (const lease of this.#open.keys()) this.close(lease);
  }

  #remove(goes: (task: TaskId) => boolean): void {
    for (const name of this.#blocks.incomingNames()) {
      const task = taskOfIncoming(name) ?? taskOfIncomingBlock(name);
      if (task !== null && goes(task)) rmSync(this.#blocks.incomingPath(name), { force: true });
    }
  }

  #fileOf({ task, lease, session }: ChunkedResult): OpenFile {
    const known = this.#open.get(lease);
    if (known?.session === session) return known;
    this.close(lease);
    const open = { task, session, file: openSync(this.pathOf({ task, lease }), 'w', 0o600), ranges: [] };
    this.#open.set(lease, open);
    return open;
  }
}
