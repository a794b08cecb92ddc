import { blockNumber, chunkRange, dtypes, stripeRange } from '@muster/shared';
import { stripingOfRole, type OperandSide } from './matrix-ref.ts';
import type { Shaped, Span } from './matrix-source.ts';

/** One block of an operand and its place in the matrix. */
export interface BlockCut {
  readonly role: OperandSide;
  readonly number: number;
  readonly rows: Span;
  readonly columns: Span;
  readonly bytes: number;
}

/** The blocks of an operand in the order of their numbers. */
export function cutsOf(role: OperandSide, shaped: Shaped): BlockCut[] {
  const striping = stripingOfRole(role, shaped);
  const cuts: BlockCut[] = [];
  for (let stripe = 0; stripe < striping.stripes; stripe++) {
    for (let chunk = 0; chunk < striping.chunks; chunk++) {
      const along = stripeRange(striping, stripe);
      const deep = chunkRange(striping, chunk);
      const bytes = (along[1] - along[0]) * (deep[1] - deep[0]) * dtypes[shaped.dtype].bytes;
      const [rows, columns] = role === 'a' ? [along, deep] : [deep, along];
      cuts.push({ role, number: blockNumber(striping, stripe, chunk), rows, columns, bytes });
    }
  }
  return cuts;
}

/**
 * The order in which a product's blocks are sent: the first stripe of B, all of A, the rest of B. With a cut by columns the first tile
 * needs all of A, so it can start after half of the upload, and each further stripe of B enables one more; if A and B alternated, it
 * would start only at the end. With a cut by both, each stripe of A enables one tile at once.
 */
export function sendOrder(a: readonly BlockCut[], b: readonly BlockCut[]): BlockCut[] {
  const firstStripe = b.filter(({ columns }) => columns[0] === 0);
  return [...firstStripe, ...a, ...b.slice(firstStripe.length)];
}
