import type { BlockId } from '@muster/shared';
import type { BufferPool } from '../buffer-pool.ts';
import type { PackedBlock } from './packed-block.ts';

/** The blocks of one operand of a task. They are read one at a time, in any order. */
export interface BlockSource {
  /** The operand's name in the task type. */
  readonly operand: string;
  readonly blocks: number;
  blockBytes(block: number): number;
  /** Id of a block that was given to the head before; undefined: it must be read. */
  known(block: number): BlockId | undefined;
  /** May be called again, for a block that the head has lost. */
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
