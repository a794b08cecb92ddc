import { elementCount } from '../../tensor/shape.ts';
import type { NodeFacts, TaskPlan, TaskType } from '../task-type.ts';
import { parseInferSpec, rowBytes, type InferSpec } from './spec.ts';
import { inferWork, type InferWork } from './work.ts';

/** Batch inference of any ONNX model: a subtask is a block of rows, the model is fetched once by each node. */
export const infer: TaskType<InferSpec> = {
  name: 'infer',
  runs: 'device',
  parseSpec: parseInferSpec,
  operands: (spec) => [
    { name: 'model', blocks: 1 },
    { name: 'x', blocks: blocksOf(spec) },
  ],
  plan: planInfer,
  needs: (_, __, index) => [
    { operand: 'model', block: 0 },
    { operand: 'x', block: index },
  ],
  rounds: null,
  work: ({ input, output, ...spec }, _, { indices: [index = 0], blocks }): InferWork => ({
    model: blocks({ operand: 'model', block: 0 }),
    x: blocks({ operand: 'x', block: index }),
    rows: rowsOf(spec, index),
    input,
    output,
  }),
  readWork: (raw) => {
    const work = inferWork.parse(raw);
    return { work, blocks: [...new Set([work.model, work.x])] };
  },
  payload: () => null,
  window: () => WINDOW,
  blockBytes: (spec, { operand, block }) =>
    operand === 'model' ? spec.modelBytes : rowsOf(spec, block) * rowBytes(spec.input),
  resultBytes: (spec, _, index) => rowsOf(spec, index) * rowBytes(spec.output),
  keptBytes: ({ rows, output }) => rows * rowBytes(output),
  // The cost of a user's model is unknown, and a wrong guess would distort the measured speed of the nodes.
  flops: () => 0,
  region: (spec, _, index) => {
    const from = index * spec.rowsPerBlock;
    return [from, from + rowsOf(spec, index), 0, elementCount(spec.output.shape)];
  },
  describe: ({ rows, output }) => ({ shape: [rows, ...output.shape], dtype: output.dtype }),
};

/** One block computed and one on its way: without a forecast of the time, a larger window would let slow nodes hoard. */
const WINDOW = 2;

const blocksOf = ({ rows, rowsPerBlock }: Pick<InferSpec, 'rows' | 'rowsPerBlock'>): number =>
  Math.ceil(rows / rowsPerBlock);

const rowsOf = ({ rows, rowsPerBlock }: Pick<InferSpec, 'rows' | 'rowsPerBlock'>, index: number): number =>
  Math.min(rowsPerBlock, rows - index * rowsPerBlock);

/** Consecutive blocks for each node, in proportion to its speed; nodes that are done take from the others. */
function planInfer(spec: InferSpec, nodes: readonly NodeFacts[]): TaskPlan {
  const subtasks = blocksOf(spec);
  const speeds = nodes.map(({ gflops }) => Math.max(gflops.float32, Number.MIN_VALUE));
  const total = speeds.reduce((sum, speed) => sum + speed, 0);
  const homes: number[] = [];
  let [node, reached] = [0, speeds[0] ?? 0];
  for (let index = 0; index < subtasks; index += 1) {
    while (node < nodes.length - 1 && (index + 0.5) / subtasks > reached / total) reached += speeds[(node += 1)] ?? 0;
    homes.push(node);
  }
  return { subtasks, batch: 1, homes, nodes: nodes.length, forecast: [], advice: '', layout: null };
}
