import type { BlockId } from '@muster/shared';
import type { BufferPool } from '../buffer-pool.ts';
import type { PackedBlock } from './packed-block.ts';

/** What one operand of a task is made of. Its blocks are asked for one at a time and in no fixed order. */
export interface BlockSource {
  /** As the task type names it. */
  readonly operand: string;
  readonly blocks: number;
  blockBytes(block: number): number;
  /** The id of a block that the head was given before; undefined: it must be read. */
  known(block: number): BlockId | undefined;
  /** May be called again for a block that the head has lost. */
  read(block: number, pool: BufferPool): PackedBlock | Promise<PackedBlock>;
}

/** One block of an operand. */
export interface SourceBlock {
  readonly source: BlockSource;
  readonly number: number;
}

/** All blocks of the operands, one operand after the other. */
export const blocksInTurn = (sources: readonly BlockSource[]): SourceBlock[] =>
  sources.flatMap((source) => Array.from({ length: source.blocks }, (_, number) => ({ source, number })));
