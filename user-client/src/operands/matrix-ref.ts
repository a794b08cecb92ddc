import { stripingOf, type BlockId, type Striping } from '@muster/shared';
import type { Shaped } from './matrix-source.ts';

export type OperandSide = 'a' | 'b';

/** A matrix whose blocks the head was given before. It stays usable for as long as the head keeps them. */
export interface MatrixRef extends Shaped {
  /** A matrix is cut by rows as A and by columns as B, so a reference is good for one side only. */
  readonly role: OperandSide;
  /** By block number. */
  readonly ids: readonly BlockId[];
}

export const isMatrixRef = (operand: object): operand is MatrixRef => 'ids' in operand;

/** A is cut along its rows and has K across, B along its columns and has K down. */
export const stripingOfRole = (role: OperandSide, { rows, columns, dtype }: Shaped): Striping =>
  role === 'a' ? stripingOf(rows, columns, dtype) : stripingOf(columns, rows, dtype);
