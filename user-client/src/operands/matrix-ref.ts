import { stripingOf, type BlockId, type Striping } from '@muster/shared';
import type { Shaped } from './matrix-source.ts';

export type OperandSide = 'a' | 'b';

/** A matrix whose blocks were given to the head before. Usable for as long as the head keeps them. */
export interface MatrixRef extends Shaped {
  /** A matrix is cut by rows as A and by columns as B, so a reference is good for one side only. */
  readonly role: OperandSide;
  /** Ids by block number. */
  readonly ids: readonly BlockId[];
}

export const isMatrixRef = (operand: object): operand is MatrixRef => 'ids' in operand;

/** A is striped along its rows, B along its columns; the other dimension is K. */
export const stripingOfRole = (role: OperandSide, { rows, columns, dtype }: Shaped): Striping =>
  role === 'a' ? stripingOf(rows, columns, dtype) : stripingOf(columns, rows, dtype);
