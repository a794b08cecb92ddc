/**
 * Blocks that are sent before a task needs them. Complete ones are kept like every block without a task, until others need their room.
 * Incomplete ones are limited in bytes: the oldest are given up for a new one.
 */
import { limits, MusterError, type BlockId } from '@muster/shared';
import type { BlockStore } from '@muster/shared/io';

export type OfferedChunk = Parameters<BlockStore['receive']>[0];

export class OfferedBlocks {
  readonly #blocks: Pick<BlockStore, 'has' | 'receive' | 'remove'>;
  readonly #maxBytes: number;
  /** Lengths of the incomplete blocks, oldest first. */
  readonly #partial = new Map<BlockId, number>();
  #bytes = 0;

  constructor(blocks: Pick<BlockStore, 'has' | 'receive' | 'remove'>, maxBytes: number = limits.offeredBytes.value) {
    this.#blocks = blocks;
    this.#maxBytes = maxBytes;
  }

  /** True when the block is whole. Throws TOO_LARGE, and what the store throws. */
  put(chunk: OfferedChunk): boolean {
    const { id, total } = chunk;
    if (this.#blocks.has(id)) return true;
    if (total > this.#maxBytes) throw tooLarge(total, this.#maxBytes);
    if (!this.#partial.has(id)) this.#begin(id, total);
    const isWhole = this.#blocks.receive(chunk) === 'complete';
    if (isWhole) this.taken(id);
    return isWhole;
  }

  /** The block counts here no longer: it is complete, given up, or expected by a task. */
  taken(id: BlockId): void {
    this.#bytes -= this.#partial.get(id) ?? 0;
    this.#partial.delete(id);
  }

  #begin(id: BlockId, bytes: number): void {
    for (const oldest of this.#partial.keys()) {
      if (this.#bytes + bytes <= this.#maxBytes) break;
      this.taken(oldest);
      this.#blocks.remove(oldest);
    }
    this.#partial.set(id, bytes);
    this.#bytes += bytes;
  }
}

const tooLarge = (bytes: number, most: number): MusterError =>
  new MusterError('TOO_LARGE', 'the block is too large to be put without a task', {
    why: `it has ${bytes} bytes, the limit is ${most}`,
    fix: 'give the matrix to the task itself',
  });
