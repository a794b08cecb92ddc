/** Work of a lease, one tile, which the verifier also checks the result against. */
import { z } from 'zod';
import { isBlockId, type BlockId } from '../../ids.ts';
import { whole } from '../../protocol/numbers.ts';
import { operandDtypes } from '../../tensor/dtype.ts';

const blockId = z.custom<BlockId>((value) => typeof value === 'string' && isBlockId(value));

/**
 * C_tile (rows x columns) = sum over chunks of A_chunk * B_chunk. The tile covers one or more row stripes of A and one column
 * stripe of B. Result: rows x columns elements, row-major, dtype float32, float64 or (for int8) int32.
 */
export const tileWork = z.object({
  dtype: z.enum(operandDtypes as ['float32', 'float64', 'int8']),
  /** Rows of each row stripe, top to bottom. */
  rows: z.array(whole).min(1).max(128),
  columns: whole,
  /** K-extent of each chunk. */
  depths: z.array(whole).min(1).max(64),
  /** Blocks of A: all chunks of the first row stripe, then of the second, ... each block is rows[i] x depths[j], packed row-major. */
  a: z.array(blockId),
  /** Blocks of B: the chunks of its column stripe, each depths[j] x columns, packed row-major. */
  b: z.array(blockId),
});

export type TileWork = z.infer<typeof tileWork>;
