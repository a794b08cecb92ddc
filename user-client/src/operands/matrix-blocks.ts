import { MusterError, type BlockId } from '@muster/shared';
import type { BufferPool } from '../buffer-pool.ts';
import { cutsOf, sendOrder, type BlockCut } from './block-cut.ts';
import type { BlockSource, SourceBlock } from './block-source.ts';
import { isMatrixRef, type MatrixRef, type OperandSide } from './matrix-ref.ts';
import type { MatrixSource } from './matrix-source.ts';
import { packMatrixBlock, type PackedBlock } from './packed-block.ts';

/** An operand of a product: a matrix, or a reference to one that was put before. */
export type Operand = MatrixSource | MatrixRef;

/** The blocks of one operand of a product. */
export class MatrixBlocks implements BlockSource {
  readonly operand: OperandSide;
  readonly cuts: readonly BlockCut[];
  readonly #matrix: Operand;

  constructor(role: OperandSide, matrix: Operand) {
    this.operand = role;
    this.#matrix = matrix;
    this.cuts = cutsOf(role, matrix);
  }

  get blocks(): number {
    return this.cuts.length;
  }

  blockBytes(block: number): number {
    return this.#cut(block).bytes;
  }

  known(block: number): BlockId | undefined {
    return isMatrixRef(this.#matrix) ? this.#matrix.ids[block] : undefined;
  }

  read(block: number, pool: BufferPool): Promise<PackedBlock> {
    if (!isMatrixRef(this.#matrix)) return packMatrixBlock(pool, this.#matrix, this.#cut(block));
    throw new MusterError('BLOCK_MISSING', `the head no longer has operand ${this.operand}`, {
      why: `block ${block} (${this.#matrix.ids[block]}) is gone from its store`,
      fix: 'put the matrix again and use the new reference',
    });
  }

  #cut(block: number): BlockCut {
    const cut = this.cuts[block];
    if (cut === undefined) throw new MusterError('BUG', `operand ${this.operand} has no block ${block}`);
    return cut;
  }
}

/**
 * The blocks of a product in the order in which they are sent. Blocks that the head already has come first: each costs only a message,
 * and tiles that then lack a single block can start early.
 */
export function productBlocks({ a, b }: Readonly<Record<OperandSide, Operand>>): SourceBlock[] {
  const sources = { a: new MatrixBlocks('a', a), b: new MatrixBlocks('b', b) };
  const placed = ({ role, number }: BlockCut): SourceBlock => ({ source: sources[role], number });
  const [ofA, ofB] = [sources.a.cuts, sources.b.cuts];
  if (isMatrixRef(b)) return [...ofB, ...ofA].map(placed);
  return (isMatrixRef(a) ? [...ofA, ...ofB] : sendOrder(ofA, ofB)).map(placed);
}
