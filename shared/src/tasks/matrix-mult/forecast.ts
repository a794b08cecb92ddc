import { MusterError } from '../../errors.ts';
import type { ForecastPoint } from '../../protocol/status.ts';
import type { NodeFacts } from '../task-type.ts';
import {
  bandSizes,
  cutInBands,
  extent,
  productOf,
  sum,
  type BandSizes,
  type Cut,
  type Part,
  type Product,
  type Weight,
} from './grid.ts';
import type { MatrixMultSpec } from './spec.ts';
import { columnsOf, flopsOf, flopsPerMs, rowGroups, rowsOf, stripesPerTileMax } from './tiles.ts';

/** Submission, planning, journal and the last answer of one task. */
const TASK_OVERHEAD_MS = 6;
/** Lease, result and settlement of one tile. */
const TILE_OVERHEAD_MS = 1;

/** Prediction for one cut. Times in ms. */
export interface CutForecast {
  readonly ms: number;
  /** Time of the node that computes longest. */
  readonly computeMs: number;
  /** The head's link: operands to every node and results back, one after the other. */
  readonly transferMs: number;
  readonly bytes: number;
}

/**
 * Compute and transfer overlap except for the first pair of blocks, which every node waits for. The head's link is shared, so bytes of
 * different nodes never overlap; a node with shared files counts at its read rate, which makes it nearly free.
 */
export function forecastCut(product: Product, cut: Cut, nodes: readonly NodeFacts[]): CutForecast {
  const stripesMax = stripesMaxFor(product, cut, nodes);
  const parts = cut.flatMap((part) => {
    const facts = nodes[part.node];
    return facts === undefined ? [] : [forecastPart({ product, part, stripesMax }, facts)];
  });
  const computeMs = Math.max(...parts.map((part) => part.computeMs));
  const transferMs = sum(parts.map((part) => part.transferMs));
  const firstMs = sum(parts.map((part) => part.firstMs));
  const ms = TASK_OVERHEAD_MS + firstMs + Math.max(computeMs, transferMs);
  return { ms, computeMs, transferMs, bytes: sum(parts.map((part) => part.bytes)) };
}

/** Tiles may run on any node of the cut, so the one with the least memory decides. */
export function stripesMaxFor(product: Product, cut: Cut, nodes: readonly NodeFacts[]): number {
  return stripesPerTileMax(product, Math.min(...cut.map(({ node }) => nodes[node]?.memoryBytes ?? 0)));
}

interface PartForecast {
  readonly computeMs: number;
  readonly transferMs: number;
  /** Until the first block of each operand is there. */
  readonly firstMs: number;
  readonly bytes: number;
}

interface PartContext {
  readonly product: Product;
  readonly part: Part;
  readonly stripesMax: number;
}

function forecastPart({ product, part, stripesMax }: PartContext, facts: NodeFacts): PartForecast {
  const { a, b, spec, operandBytes, resultBytes } = product;
  const speed = flopsPerMs(product, facts);
  const link = Math.max(facts.linkBytesPerMs, 1e-3);
  const groups = rowGroups(product, part, { speed, stripesMax });
  const rows = rowsOf(product, part.rows);
  const columns = columnsOf(product, part.columns);
  const bytes = (rows + columns) * spec.k * operandBytes + rows * columns * resultBytes;
  const firstBytes = (a.stripeSpan + b.stripeSpan) * a.chunkDepth * operandBytes;
  const computeMs = flopsOf(product, part) / speed + groups * extent(part.columns) * TILE_OVERHEAD_MS;
  return { computeMs, transferMs: bytes / link, firstMs: firstBytes / link, bytes };
}

/** Indices and speeds of the nodes, the fastest first; equals keep their order, so that a plan is reproducible. */
export function fastestFirst(product: Product, nodes: readonly NodeFacts[]): Weight[] {
  const weights = nodes.map((facts, node) => ({ node, speed: flopsPerMs(product, facts) }));
  return weights.toSorted((x, y) => y.speed - x.speed);
}

/** A cut and its prediction. */
export interface ChosenCut {
  readonly cut: Cut;
  readonly forecast: CutForecast;
}

/** The best cut of the product for all these nodes within what `spec.grid` allows. */
export function chooseCut(product: Product, nodes: readonly NodeFacts[]): ChosenCut {
  const candidates = candidatesFor(product, nodes);
  return chooseAmong(product, { ...candidates, grid: product.spec.grid });
}

interface Candidates {
  readonly nodes: readonly NodeFacts[];
  /** The nodes to use, the fastest first. */
  readonly weights: readonly Weight[];
  readonly sizes: BandSizes;
}

function candidatesFor(product: Product, nodes: readonly NodeFacts[]): Candidates {
  const weights = fastestFirst(product, nodes);
  return { nodes, weights, sizes: bandSizes(weights, product.b.stripes) };
}

/** Share of the nodes used by the widest cut that another may leave idle; the user asked for all of them. */
const IDLE_SHARE_MAX = 0.1;

function chooseAmong(product: Product, { nodes, weights, sizes, grid }: Candidates & { grid: string }): ChosenCut {
  const cuts = bandings(product, { weights, sizes }, grid).map((bands) => cutInBands(product, weights, bands));
  const used = Math.max(...cuts.map((cut) => cut.length));
  let best: ChosenCut | undefined;
  for (const cut of cuts) {
    if (cut.length < used * (1 - IDLE_SHARE_MAX)) continue;
    const forecast = forecastCut(product, cut, nodes);
    if (best === undefined || isBetter(forecast, best.forecast)) best = { cut, forecast };
  }
  if (best === undefined) throw new MusterError('BUG', 'a product was planned for no node');
  return best;
}

const isBetter = (one: CutForecast, other: CutForecast): boolean =>
  one.ms < other.ms || (one.ms === other.ms && one.bytes < other.bytes);

/** Band sizes that the grid allows; see `cutInBands`. */
function bandings(
  product: Product,
  { weights, sizes }: Pick<Candidates, 'weights' | 'sizes'>,
  grid: string,
): number[][] {
  const { a, b } = product;
  const byColumns = weights.map(() => 1);
  const fixed = fixedGrid(product, grid);
  if (fixed !== null && fixed.rows * fixed.columns <= weights.length)
    return [byColumns.slice(0, fixed.columns).map(() => fixed.rows)];
  if (grid === '1d') return [b.stripes >= Math.min(a.stripes, weights.length) ? byColumns : [weights.length]];
  const all = sizes(weights.length);
  const both = all.filter((bands) => bands.length > 1 && bands.length < weights.length);
  if (grid === '2d' && both.length > 0) return both;
  // With more nodes than column stripes a cut by columns leaves the slowest without work, which may still be best.
  return all.length < weights.length ? [byColumns, ...all] : all;
}

/** 'RxC' as numbers, never more than there are stripes; null for the named grids. */
export function fixedGrid({ a, b }: Product, grid: string): { readonly rows: number; readonly columns: number } | null {
  const [rows, columns] = grid.split('x').map(Number);
  if (rows === undefined || columns === undefined || Number.isNaN(rows)) return null;
  return { rows: Math.min(rows, a.stripes), columns: Math.min(columns, b.stripes) };
}

/**
 * Predicted time with the fastest 1, 2, ... of the nodes. All nodes together are predicted for the grid that was asked for,
 * fewer nodes for the same named grid, or for the best one where `RxC` was asked for.
 */
export function forecastMatrixMult(spec: MatrixMultSpec, nodes: readonly NodeFacts[]): ForecastPoint[] {
  const product = productOf(spec);
  const { weights, sizes } = candidatesFor(product, nodes);
  return weights.map((_, at) => {
    const grid = at + 1 < weights.length && fixedGrid(product, spec.grid) !== null ? 'auto' : spec.grid;
    const { forecast } = chooseAmong(product, { nodes, weights: weights.slice(0, at + 1), sizes, grid });
    return { nodes: at + 1, ms: forecast.ms };
  });
}
