import { dtypes, productDtype } from '../../tensor/dtype.ts';
import type { Striping } from '../../tensor/stripes.ts';
import { stripingOfA, stripingOfB, type MatrixMultSpec } from './spec.ts';

/** [from, to). */
export type Range = readonly [number, number];

/** A product with derived facts that the planner needs again and again. */
export interface Product {
  readonly spec: MatrixMultSpec;
  /** Row stripes of A, and so of C. */
  readonly a: Striping;
  /** Column stripes of B, and so of C. */
  readonly b: Striping;
  readonly operandBytes: number;
  readonly resultBytes: number;
}

export function productOf(spec: MatrixMultSpec): Product {
  const operandBytes = dtypes[spec.dtype].bytes;
  const resultBytes = dtypes[productDtype(spec.dtype)].bytes;
  return { spec, a: stripingOfA(spec), b: stripingOfB(spec), operandBytes, resultBytes };
}

/** The rectangle of C, in stripes, that is cut for one node. */
export interface Part {
  /** Position in the list of nodes given to the planner. */
  readonly node: number;
  readonly rows: Range;
  readonly columns: Range;
}

/** Rectangles that cover C exactly once; a node without a part does nothing. */
export type Cut = readonly Part[];

/** A node as the cut sees it. */
export interface Weight {
  readonly node: number;
  readonly speed: number;
}

/**
 * Whole stripes for each speed, every share within one stripe of its exact proportion. The stripes that rounding down
 * leaves go where they end soonest, so a node that is slow beside the others may get none.
 */
export function shares(speeds: readonly number[], stripes: number): number[] {
  const total = sum(speeds);
  const counts = speeds.map((speed) => Math.floor((stripes * speed) / total));
  const endOfNext = (position: number): number => ((counts[position] ?? 0) + 1) / (speeds[position] ?? 1);
  const soonest = [...counts.keys()].toSorted((x, y) => endOfNext(x) - endOfNext(y));
  for (const position of soonest.slice(0, stripes - sum(counts))) counts[position] = (counts[position] ?? 0) + 1;
  return counts;
}

/**
 * C as bands of whole columns, each band cut by rows among its members: `sizes` says how many nodes, in the order of
 * `weights`, each band has. One band is a cut by rows, one node in each band a cut by columns.
 */
export function cutInBands({ a, b }: Product, weights: readonly Weight[], sizes: readonly number[]): Cut {
  const bands = consecutive(weights, sizes);
  const widths = shares(
    bands.map((band) => sum(band.map(({ speed }) => speed))),
    b.stripes,
  );
  const columns = ranges(widths);
  return bands.flatMap((band, at) => cutBand(band, columns[at] ?? [0, 0], a.stripes));
}

function cutBand(band: readonly Weight[], columns: Range, stripes: number): Part[] {
  const rows = ranges(
    shares(
      band.map(({ speed }) => speed),
      stripes,
    ),
  );
  const parts = band.map(({ node }, at) => ({ node, rows: rows[at] ?? ([0, 0] as const), columns }));
  return parts.filter((part) => extent(part.rows) * extent(part.columns) > 0);
}

/** Band sizes worth trying for the first `nodes` of the weights: one list for each number of bands, the most bands first. */
export type BandSizes = (nodes: number) => number[][];

/**
 * For each number of bands the split of the nodes, which come ordered by speed, that sends the fewest bytes of B: the least
 * sum over bands of (members x share of the columns). This is the column-based heuristic of Beaumont, Boudet, Rastello
 * and Robert, "Matrix multiplication on heterogeneous platforms" (IEEE TPDS 2001), as a dynamic programme of
 * O(bands * nodes^2) that is run once for all prefixes of the weights.
 */
export function bandSizes(weights: readonly Weight[], bandsMax: number): BandSizes {
  const upTo = prefixSums(weights.map(({ speed }) => speed));
  /** least[i]: cost of the best split of the first i nodes into the current number of bands. */
  let least: number[] = upTo.map((speed, i) => i * speed);
  const lastBand: number[][] = [upTo.map((_, i) => i)];
  for (let bands = 2; bands <= Math.min(bandsMax, weights.length); bands++) {
    const steps = upTo.map((_, i) => bestLastBand({ least, upTo }, bands, i));
    least = steps.map(({ cost }) => cost);
    lastBand.push(steps.map(({ size }) => size));
  }
  return (nodes) =>
    lastBand
      .slice(0, nodes)
      .map((_, at) => traceBack(lastBand.slice(0, at + 1), nodes))
      .toReversed();
}

/** Among the sizes of the last band, the one that makes the first `i` nodes in `bands` bands the cheapest. */
function bestLastBand(
  { least, upTo }: { least: readonly number[]; upTo: readonly number[] },
  bands: number,
  i: number,
): { cost: number; size: number } {
  let best = { cost: Infinity, size: 0 };
  for (let size = 1; size <= i - bands + 1; size++) {
    const cost = (least[i - size] ?? Infinity) + size * ((upTo[i] ?? 0) - (upTo[i - size] ?? 0));
    if (cost < best.cost) best = { cost, size };
  }
  return best;
}

function traceBack(lastBand: readonly (readonly number[])[], nodes: number): number[] {
  const sizes: number[] = [];
  let left = nodes;
  for (const sizeAt of lastBand.toReversed()) {
    sizes.unshift(sizeAt[left] ?? 0);
    left -= sizeAt[left] ?? 0;
  }
  return sizes;
}

export const extent = ([from, to]: Range): number => to - from;

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const prefixSums = (values: readonly number[]): number[] => {
  const sums = [0];
  for (const value of values) sums.push((sums.at(-1) ?? 0) + value);
  return sums;
};

/** Ranges of these lengths, one after the other from 0. */
export const ranges = (lengths: readonly number[]): Range[] => {
  const ends = prefixSums(lengths);
  return lengths.map((_, at) => [ends[at] ?? 0, ends[at + 1] ?? 0]);
};

function consecutive<T>(items: readonly T[], sizes: readonly number[]): (readonly T[])[] {
  return ranges(sizes).map(([from, to]) => items.slice(from, to));
}
