import { MusterError } from '../../errors.ts';
import { dtypes, productDtype } from '../../tensor/dtype.ts';
import { blockCount, blockNumber, chunkRange, stripeRange, type Striping } from '../../tensor/stripes.ts';
import type { BlockNeed, BlockTable, LeasedBlocks, TaskPlan, TaskType } from '../task-type.ts';
import { planMatrixMult, type MatrixMultLayout } from './plan.ts';
import { parseMatrixMultSpec, stripingOfA, stripingOfB, type MatrixMultSpec } from './spec.ts';
import type { Tile } from './tiles.ts';
import { tileWork, type TileWork } from './work.ts';

/** C = A * B. Operands 'a' and 'b' are bound block by block; a subtask is one tile of C. */
export const matrixMult: TaskType<MatrixMultSpec> = {
  name: 'matrix_mult',
  runs: 'device',
  parseSpec: parseMatrixMultSpec,
  operands: (spec) => [
    { name: 'a', blocks: blockCount(stripingOfA(spec)) },
    { name: 'b', blocks: blockCount(stripingOfB(spec)) },
  ],
  plan: planMatrixMult,
  needs,
  rounds: null,
  work,
  readWork,
  payload: () => null,
  window: () => null,
  blockBytes,
  resultBytes: (spec, plan, index) => {
    const [top, bottom, left, right] = region(spec, plan, index);
    return (bottom - top) * (right - left) * dtypes[productDtype(spec.dtype)].bytes;
  },
  keptBytes: ({ m, n, dtype }) => m * n * dtypes[productDtype(dtype)].bytes,
  flops: (spec, plan, index) => {
    const [top, bottom, left, right] = region(spec, plan, index);
    return 2 * (bottom - top) * spec.k * (right - left);
  },
  region,
  describe: (spec) => ({ shape: [spec.m, spec.k, spec.n], dtype: spec.dtype }),
};

function tileAt(plan: TaskPlan, index: number): Tile {
  const tile = (plan.layout as MatrixMultLayout).tiles[index];
  if (tile === undefined) throw new MusterError('BUG', `a plan of ${plan.subtasks} tiles was asked for tile ${index}`);
  return tile;
}

function needs(spec: MatrixMultSpec, plan: TaskPlan, index: number): BlockNeed[] {
  const tile = tileAt(plan, index);
  return [...needsOfA(spec, tile), ...needsOfB(spec, tile)];
}

/** All chunks of the first row stripe, then of the second, ... */
function needsOfA(spec: MatrixMultSpec, [from, to]: Tile): BlockNeed[] {
  const striping = stripingOfA(spec);
  return count(to - from).flatMap((row) => chunksOf('a', striping, from + row));
}

const needsOfB = (spec: MatrixMultSpec, [, , column]: Tile): BlockNeed[] => chunksOf('b', stripingOfB(spec), column);

const chunksOf = (operand: string, striping: Striping, stripe: number): BlockNeed[] =>
  count(striping.chunks).map((chunk) => ({ operand, block: blockNumber(striping, stripe, chunk) }));

function work(
  spec: MatrixMultSpec,
  plan: TaskPlan,
  { indices, blocks }: { readonly indices: readonly number[]; readonly blocks: BlockTable },
): TileWork {
  const [index] = indices;
  if (index === undefined || indices.length > 1) {
    throw new MusterError('BUG', `a lease of ${indices.length} tiles: a tile is a lease of its own`);
  }
  const tile = tileAt(plan, index);
  const [from, to, column] = tile;
  const [rowStriping, columnStriping] = [stripingOfA(spec), stripingOfB(spec)];
  return {
    dtype: spec.dtype,
    rows: count(to - from).map((row) => length(stripeRange(rowStriping, from + row))),
    columns: length(stripeRange(columnStriping, column)),
    depths: count(rowStriping.chunks).map((chunk) => length(chunkRange(rowStriping, chunk))),
    a: needsOfA(spec, tile).map(blocks),
    b: needsOfB(spec, tile).map(blocks),
  };
}

function readWork(raw: unknown): LeasedBlocks {
  const tile = tileWork.parse(raw);
  return { work: tile, blocks: [...new Set([...tile.a, ...tile.b])] };
}

function region(spec: MatrixMultSpec, plan: TaskPlan, index: number): [number, number, number, number] {
  const [from, to, column] = tileAt(plan, index);
  const rowStriping = stripingOfA(spec);
  const [left, right] = stripeRange(stripingOfB(spec), column);
  return [stripeRange(rowStriping, from)[0], stripeRange(rowStriping, to - 1)[1], left, right];
}

function blockBytes(spec: MatrixMultSpec, { operand, block }: BlockNeed): number {
  const striping = operand === 'a' ? stripingOfA(spec) : stripingOfB(spec);
  const stripe = stripeRange(striping, Math.floor(block / striping.chunks));
  const chunk = chunkRange(striping, block % striping.chunks);
  return length(stripe) * length(chunk) * dtypes[spec.dtype].bytes;
}

const length = ([from, to]: readonly [number, number]): number => to - from;
const count = (size: number): number[] => Array.from({ length: size }, (_, at) => at);
