/** Work of a lease: one block of rows. */
import { z } from 'zod';
import { isBlockId, type BlockId } from '../../ids.ts';
import { limits } from '../../protocol/limits.ts';
import { rowBytes } from './spec.ts';

const blockId = z.custom<BlockId>((value) => typeof value === 'string' && isBlockId(value));
const port = z.object({
  name: z.string().min(1).max(200),
  shape: z.array(z.number().int().min(1).max(limits.dimensionMax.value)).max(7),
  dtype: z.enum(['float32', 'float64', 'int32', 'int8', 'uint8']),
});

/** Result: rows x output.shape elements of output.dtype, row-major, little-endian. */
export const inferWork = z
  .object({
    model: blockId,
    x: blockId,
    rows: z.number().int().min(1).max(limits.samplesMax.value),
    input: port,
    output: port,
  })
  .refine(
    ({ rows, input, output }) => rows * Math.max(rowBytes(input), rowBytes(output)) <= limits.inferBlockBytesMax.value,
    'its block of rows is too large',
  );

export type InferWork = z.infer<typeof inferWork>;
