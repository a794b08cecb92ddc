import type { NodeFacts } from '../task-type.ts';
import { stripeRange } from '../../tensor/stripes.ts';
import { extent, ranges, type Part, type Product, type Range } from './grid.ts';

/** [row stripe from, row stripe to, column stripe): some row stripes of A times one column stripe of B. */
export type Tile = readonly [number, number, number];

/** Below this, a tile's dispatch, output copies and check are no longer small compared with its arithmetic. */
const TILE_MIN_MS = 8;
/** Above this a lost tile costs too much and progress looks stuck. */
const TILE_MAX_MS = 2000;
/** Tiles per node: a misjudged speed then leaves at most 1/8 of the node's work for the end, and idle nodes share even that. */
const TILES_PER_NODE = 8;
/** The ids of a tile's blocks, 34 bytes each, must leave room in a lease's header of 64 KiB. */
const TILE_BLOCKS_MAX = 1024;
/** A tile's result is held whole by the verifier. */
const TILE_RESULT_BYTES_MAX = 32 * 2 ** 20;
/** Share of a node's memory that one tile may take: two tiles are in flight. */
const MEMORY_SHARE = 0.5;

/** GFLOP/s as operations per millisecond; a rate that was not measured counts as very slow. */
export const flopsPerMs = (product: Product, { gflops }: NodeFacts): number =>
  Math.max(gflops[product.spec.dtype], 1e-3) * 1e6;

/** Elements of C along one side that these stripes cover. */
export const rowsOf = ({ a }: Product, [from, to]: Range): number =>
  stripeRange(a, to - 1)[1] - stripeRange(a, from)[0];
export const columnsOf = ({ b }: Product, [from, to]: Range): number =>
  stripeRange(b, to - 1)[1] - stripeRange(b, from)[0];

export const flopsOf = (product: Product, { rows, columns }: { rows: Range; columns: Range }): number =>
  2 * rowsOf(product, rows) * product.spec.k * columnsOf(product, columns);

/** Bytes that a provider needs at once for a tile of `rows` x `columns`: a chunk of A and of B, and C twice (the runtime copies it out). */
export function workingSetBytes(product: Product, rows: number, columns: number): number {
  const { a, operandBytes, resultBytes } = product;
  return (rows + columns) * a.chunkDepth * operandBytes + 2 * rows * columns * resultBytes;
}

/** Row stripes that a tile may have on a node with this much memory, at least one. */
export function stripesPerTileMax(product: Product, memoryBytes: number): number {
  const { a, b, resultBytes } = product;
  const fits = (stripes: number): boolean => {
    const rows = Math.min(a.span, stripes * a.stripeSpan);
    return (
      workingSetBytes(product, rows, b.stripeSpan) <= memoryBytes * MEMORY_SHARE &&
      rows * b.stripeSpan * resultBytes <= TILE_RESULT_BYTES_MAX &&
      (stripes + 1) * a.chunks <= TILE_BLOCKS_MAX
    );
  };
  // Fitting is monotone, so the largest number that fits is found by halving.
  let [most, tooMany] = [1, a.stripes + 1];
  while (tooMany - most > 1) {
    const middle = (most + tooMany) >> 1;
    if (fits(middle)) most = middle;
    else tooMany = middle;
  }
  return most;
}

/** Into how many row groups a node's part is cut: about 8 tiles, none under 8 ms, none over 2 s or over `stripesMax`. */
export function rowGroups(product: Product, part: Part, { speed, stripesMax }: TileRules): number {
  const height = extent(part.rows);
  const width = extent(part.columns);
  const nodeMs = flopsOf(product, part) / speed;
  const wanted = Math.min(nodeMs / TILE_MIN_MS, Math.max(TILES_PER_NODE, nodeMs / TILE_MAX_MS));
  const balanced = Math.min(Math.ceil(wanted / width), Math.floor(nodeMs / width / TILE_MIN_MS));
  return Math.min(height, Math.max(1, balanced, Math.ceil(height / stripesMax)));
}

export interface TileRules {
  /** Operations per millisecond of the node. */
  readonly speed: number;
  readonly stripesMax: number;
}

/** A part as tiles, column by column: a column stripe of B then serves several tiles in a row. */
export function tilesOf(part: Part, groups: number): Tile[] {
  const [top] = part.rows;
  const cuts = ranges(evenly(extent(part.rows), groups));
  const tiles: Tile[] = [];
  for (let column = part.columns[0]; column < part.columns[1]; column++) {
    for (const [from, to] of cuts) tiles.push([top + from, top + to, column]);
  }
  return tiles;
}

const evenly = (total: number, groups: number): number[] =>
  Array.from(
    { length: groups },
    (_, at) => Math.floor((total * (at + 1)) / groups) - Math.floor((total * at) / groups),
  );
