import {
  elementCount,
  type InferPort,
  type InferSpec,
  limits,
  MusterError,
  parseInferSpec,
  rowBytes,
} from '@muster/shared';
import { blocksInTurn, type SourceBlock } from '../operands/block-source.ts';
import { WholeBlock } from '../operands/whole-block.ts';
import type { TaskResult } from '../results/task-result.ts';
import { portsOf } from './model-ports.ts';
import { RowBlocks } from './row-blocks.ts';
import type { RowSink, RowSource } from './row-source.ts';

/** A model to run on many rows. */
export interface InferenceRequest {
  /** An ONNX file with one input; of several outputs the first is used. The first dimension of both is the batch. */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly input: RowSource;
  /** Shape of one output row, without the batch; required if the model does not declare it. */
  readonly outputShape?: readonly number[] | undefined;
  /** Rows per subtask. Default: as many as make about 1 MiB of input or output, 16 to 4096. */
  readonly rowsPerBlock?: number | undefined;
}

const BLOCK_BYTES = limits.chunkBytesMax.value;
const [ROWS_MIN, ROWS_MAX] = [16, 4096];

/** Checks that the model accepts these rows. @throws BAD_MODEL, SHAPE_MISMATCH, BAD_DATA, USAGE, TOO_LARGE */
export function inferenceSpec({ model, input: rows, outputShape, rowsPerBlock }: InferenceRequest): InferSpec {
  const { input, output, batch } = portsOf(model, rows, outputShape);
  if (batch !== null) checkBatch(batch, { rows: rows.rows, rowsPerBlock });
  return parseInferSpec({
    rows: rows.rows,
    rowsPerBlock: Math.min(rows.rows, rowsPerBlock ?? batch ?? usualRows(input, output)),
    modelBytes: model.length,
    input,
    output,
  });
}

function checkBatch(
  batch: number,
  { rows, rowsPerBlock = batch }: { rows: number; rowsPerBlock?: number | undefined },
): void {
  if (rows % batch === 0 && rowsPerBlock === batch) return;
  throw new MusterError('SHAPE_MISMATCH', `the model takes ${batch} rows at a time`, {
    why: `there are ${rows} rows, in blocks of ${rowsPerBlock}`,
    fix: 'export it with a batch of any size: dynamic_axes={"input": {0: "batch"}}',
  });
}

/** Fewer rows leave a node idle between two blocks; more prolong the wait for the last block. */
function usualRows(input: InferPort, output: InferPort): number {
  const fitting = Math.floor(BLOCK_BYTES / Math.max(rowBytes(input), rowBytes(output)));
  const most = Math.floor(limits.inferBlockBytesMax.value / Math.max(rowBytes(input), rowBytes(output)));
  if (most < 1) throw rowTooLarge(input, output);
  return Math.min(most, ROWS_MAX, Math.max(ROWS_MIN, fitting));
}

const rowTooLarge = (input: InferPort, output: InferPort): MusterError =>
  new MusterError('TOO_LARGE', 'a row is too large', {
    why: `it has ${rowBytes(input)} bytes in and ${rowBytes(output)} out, the limit is ${limits.inferBlockBytesMax.value}`,
    fix: 'give the model smaller samples',
  });

export const inferenceBlocks = (spec: InferSpec, { model, input }: InferenceRequest): SourceBlock[] =>
  blocksInTurn([new WholeBlock('model', model), new RowBlocks(spec, input)]);

export function rowResult({ rows, output }: Pick<InferSpec, 'rows' | 'output'>, sink: RowSink): TaskResult {
  const columns = elementCount(output.shape);
  return {
    rows,
    columns,
    elementBytes: rowBytes(output) / columns,
    place: ([from, to], _columns, bytes) => sink.placeRows(from, to, bytes),
    complete: () => sink.complete?.(),
    discard: () => sink.discard?.(),
  };
}
