import { dtypes, MusterError, type BlockId, type TileWork } from '@muster/shared';
import type { PanelSource } from './panel-cache.ts';

export interface TileOperands {
  readonly work: TileWork;
  readonly pathOf: (id: BlockId) => string;
}

/** One multiplication: rows of A against a chunk of B. */
export interface TileStep {
  readonly a: PanelSource;
  readonly b: PanelSource;
}

/** Row stripes that are multiplied together: the products of their chunks sum to consecutive rows of the tile. */
export type RowGroup = readonly TileStep[];

/**
 * Splits a tile into groups of row stripes: as many stripes each as keep their widest chunk of A and their part of the result within
 * `groupBytes`. One run over 4096 rows is no faster than four of 1024. Throws COMPUTE_FAILED for inconsistent work.
 */
export function planTile(operands: TileOperands, groupBytes: number): readonly RowGroup[] {
  const { work } = operands;
  const { rows, depths } = work;
  const blocks = rows.length * depths.length;
  if (work.a.length !== blocks) throw misfit(`A has ${work.a.length} blocks, not ${blocks}`);
  if (work.b.length !== depths.length) throw misfit(`B has ${work.b.length} blocks`);
  return stripeGroups(work, groupBytes).map(([from, to]) =>
    depths.map((_, chunk) => ({ a: leftSource(operands, [from, to], chunk), b: rightSource(operands, chunk) })),
  );
}

function stripeGroups({ rows, depths, columns }: TileWork, groupBytes: number): readonly [number, number][] {
  const bytesPerRow = 8 * Math.max(columns, ...depths);
  const groups: [number, number][] = [];
  let filled = Number.POSITIVE_INFINITY;
  rows.forEach((count, stripe) => {
    filled += count * bytesPerRow;
    if (filled > groupBytes) {
      groups.push([stripe, stripe]);
      filled = count * bytesPerRow;
    }
    groups.at(-1)![1] = stripe + 1;
  });
  return groups;
}

function leftSource({ work, pathOf }: TileOperands, [from, to]: readonly [number, number], chunk: number): PanelSource {
  const rows = work.rows.slice(from, to);
  const numbers = rows.map((_, at) => (from + at) * work.depths.length + chunk);
  return source(work, {
    rows: rows.reduce((sum, count) => sum + count, 0),
    columns: work.depths[chunk]!,
    ids: numbers.map((at) => work.a[at]!),
    paths: numbers.map((at) => pathOf(work.a[at]!)),
  });
}

const rightSource = ({ work, pathOf }: TileOperands, chunk: number): PanelSource =>
  source(work, {
    rows: work.depths[chunk]!,
    columns: work.columns,
    ids: [work.b[chunk]!],
    paths: [pathOf(work.b[chunk]!)],
  });

interface Blocks {
  readonly rows: number;
  readonly columns: number;
  readonly ids: readonly string[];
  readonly paths: readonly string[];
}

/** Type and shape are part of the key: under another type or shape the same bytes are a different operand. */
const source = ({ dtype }: TileWork, { rows, columns, ids, paths }: Blocks): PanelSource => ({
  key: `${dtype} ${rows} ${columns} ${ids.join(' ')}`,
  rows,
  columns,
  bytes: rows * columns * dtypes[dtype].bytes,
  paths,
});

const misfit = (why: string): MusterError => new MusterError('COMPUTE_FAILED', 'the tile is not consistent', { why });
