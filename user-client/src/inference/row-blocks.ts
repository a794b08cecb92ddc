import { rowBytes, type BlockId, type InferSpec } from '@muster/shared';
import type { BufferPool } from '../buffer-pool.ts';
import type { BlockSource } from '../operands/block-source.ts';
import { PackedBlock } from '../operands/packed-block.ts';
import type { RowSource } from './row-source.ts';

/** The rows of an inference, in blocks. */
export class RowBlocks implements BlockSource {
  readonly operand = 'x';
  readonly blocks: number;
  readonly #spec: InferSpec;
  readonly #source: RowSource;

  constructor(spec: InferSpec, source: RowSource) {
    this.#spec = spec;
    this.#source = source;
    this.blocks = Math.ceil(spec.rows / spec.rowsPerBlock);
  }

  blockBytes(block: number): number {
    const [from, to] = this.#span(block);
    return (to - from) * rowBytes(this.#spec.input);
  }

  known(): BlockId | undefined {
    return undefined;
  }

  async read(block: number, pool: BufferPool): Promise<PackedBlock> {
    const packed = new PackedBlock(await pool.lend(this.blockBytes(block)), pool);
    try {
      await this.#source.readRows(...this.#span(block), packed.bytes);
      return packed;
    } catch (error) {
      packed.release();
      throw error;
    }
  }

  #span(block: number): readonly [from: number, to: number] {
    const { rows, rowsPerBlock } = this.#spec;
    return [block * rowsPerBlock, Math.min(rows, (block + 1) * rowsPerBlock)];
  }
}
