import { dtypes, type OperandDtype } from './dtype.ts';

/**
 * How an operand is cut into blocks. A (M x K) is cut into row stripes, B (K x N) into column stripes; each stripe is
 * cut along K into chunks. A block is one (stripe, chunk), stored packed and row-major, so that it can be multiplied as it
 * lies. The cut depends only on the operand's shape and type, never on the nodes, so that a B that is used again has the
 * same blocks and is found by its hashes.
 */
export interface Striping {
  /** Rows (A) or columns (B) of the whole operand. */
  readonly span: number;
  /** Length of the inner dimension K. */
  readonly depth: number;
  /** Rows or columns in each stripe but perhaps the last. */
  readonly stripeSpan: number;
  /** K-extent of each chunk but perhaps the last. */
  readonly chunkDepth: number;
  readonly stripes: number;
  readonly chunks: number;
}

/**
 * Tiles of 256..512 a side run at full rate and 8 stripes a side leave work for 50 nodes. Narrower stripes would cost a small
 * product more in messages and file openings than they gain in balance: at 1000 x 1000 each of eight computes for 1.2 ms.
 */
const STRIPES_WANTED = 8;
const STRIPE_STEP = 64;
const STRIPE_MIN = 256;
const STRIPE_MAX = 512;
export const BLOCK_MAX_BYTES = 16 * 2 ** 20;

export function stripingOf(span: number, depth: number, dtype: OperandDtype): Striping {
  const wanted = Math.ceil(span / STRIPES_WANTED / STRIPE_STEP) * STRIPE_STEP;
  const stripeSpan = Math.min(span, STRIPE_MAX, Math.max(STRIPE_MIN, wanted));
  // From the type alone, so that the chunks of A and of B meet at the same k.
  const chunkDepth = Math.min(depth, BLOCK_MAX_BYTES / (STRIPE_MAX * dtypes[dtype].bytes));
  return {
    span,
    depth,
    stripeSpan,
    chunkDepth,
    stripes: Math.ceil(span / stripeSpan),
    chunks: Math.ceil(depth / chunkDepth),
  };
}

/** [from, to) in rows (A) or columns (B). */
export function stripeRange({ span, stripeSpan }: Striping, stripe: number): readonly [number, number] {
  return [stripe * stripeSpan, Math.min(span, (stripe + 1) * stripeSpan)];
}

/** [from, to) along K. */
export function chunkRange({ depth, chunkDepth }: Striping, chunk: number): readonly [number, number] {
  return [chunk * chunkDepth, Math.min(depth, (chunk + 1) * chunkDepth)];
}

export const blockCount = ({ stripes, chunks }: Striping): number => stripes * chunks;

/** Blocks are numbered stripe by stripe, chunks of a stripe in a row. */
export const blockNumber = ({ chunks }: Striping, stripe: number, chunk: number): number => stripe * chunks + chunk;
