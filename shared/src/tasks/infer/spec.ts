import { elementCount } from '../../tensor/shape.ts';
import { z } from 'zod';
import { parseOrThrow } from '../../first-issue.ts';
import { MusterError } from '../../errors.ts';
import { limits } from '../../protocol/limits.ts';

const atLeastOne = z.number().int().min(1);
const dtype = z.enum(['float32', 'float64', 'int32', 'int8', 'uint8']);

const port = z.object({
  name: z.string().min(1).max(200),
  /** Shape of one row, without the batch. */
  shape: z.array(atLeastOne.max(limits.dimensionMax.value)).max(7),
  dtype,
});
export type InferPort = z.infer<typeof port>;
export type InferDtype = InferPort['dtype'];

const inferSpec = z.object({
  rows: atLeastOne.max(limits.samplesMax.value),
  /** Rows of each block of the input but perhaps the last; a subtask is a block. */
  rowsPerBlock: atLeastOne,
  modelBytes: atLeastOne.max(limits.modelBytesMax.value),
  input: port,
  output: port,
});

/** Y = model(X), row by row: operands 'model' (the ONNX file) and 'x' (blocks of rows). */
export type InferSpec = z.infer<typeof inferSpec>;

export const inferElementBytes: Readonly<Record<InferDtype, number>> = {
  float32: 4,
  float64: 8,
  int32: 4,
  int8: 1,
  uint8: 1,
};

export const rowBytes = ({ shape, dtype: type }: InferPort): number => elementCount(shape) * inferElementBytes[type];

/** Throws USAGE, or TOO_LARGE when a block of the input or output is too large, or when there are too many blocks. */
export function parseInferSpec(raw: unknown): InferSpec {
  const spec = parseOrThrow(inferSpec, raw, 'the inference');
  checkBlockBytes(spec);
  checkBlockCount(spec);
  return spec;
}

function checkBlockBytes({ input, output, rowsPerBlock }: InferSpec): void {
  const bytes = rowsPerBlock * Math.max(rowBytes(input), rowBytes(output));
  if (bytes <= limits.inferBlockBytesMax.value) return;
  throw new MusterError('TOO_LARGE', 'a block of rows is too large', {
    why: `${rowsPerBlock} rows are ${bytes} bytes, the limit is ${limits.inferBlockBytesMax.value}`,
    fix: '--rows-per-block 1, or smaller samples',
  });
}

function checkBlockCount({ rows, rowsPerBlock }: InferSpec): void {
  const blocks = Math.ceil(rows / rowsPerBlock);
  const { value } = limits.inferBlocksMax;
  if (blocks <= value) return;
  throw new MusterError('TOO_LARGE', 'there are too many blocks of rows', {
    why: `${rows} rows, ${rowsPerBlock} a block, are ${blocks} blocks, the limit is ${value}`,
    fix: `--rows-per-block ${Math.ceil(rows / value)}`,
  });
}
