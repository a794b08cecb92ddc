import { randomInt } from 'node:crypto';
import {
  blockIdOf,
  blockNumber,
  bytesOf,
  chunkRange,
  dtypes,
  elementsOf,
  MusterError,
  productDtype,
  stripeRange,
  stripingOfA,
  stripingOfB,
  type Striping,
} from '@muster/shared';
import { clearLimit, elementIsHonest, widestLimit } from './arithmetic.ts';
import type { OperandFiles, Tile, Verdict } from './calls.ts';
import { exactElements, rowOfA, type DirectSource, type Selection } from './direct.ts';
import { Expectation, expectationOf } from './expectation.ts';
import type { FileBuffer } from './file-buffer.ts';
import type { ProbeCache } from './probe-cache.ts';
import { PROBE_VECTORS, project, projectRow } from './probe.ts';
import type { LeftMatrix, Products } from './products.ts';
import { probeStripe, zeroColumns, type StripeFiles, type StripeProbe } from './stripe-probe.ts';

export interface CheckTools {
  readonly products: Products;
  readonly probes: ProbeCache;
  readonly operandBuffer: FileBuffer;
  readonly tileBuffer: FileBuffer;
}

/** Rows are recomputed directly in growing groups, so that a bad tile is mostly found in the first one. */
const DIRECT_GROUPS = [1, 8, 64];
const DIRECT_GROUP_MAX = 512;

type Outcome = Omit<Verdict, 'verifyMs' | 'digest'>;

const MISSED: Outcome = { ok: false, residual: Infinity, threshold: 0 };

/**
 * Why the projections cannot judge a row. unreadable: they are not finite. drifted: rounding that always goes the same way would explain
 * them, and so would a wrong element.
 */
type OpenQuestion = 'unreadable' | 'drifted';

/**
 * At most this many drifted rows of a tile are recomputed: where rounding drifts, it does so in many rows, and each costs some 8 ms at K =
 * 4096.
 */
const DRIFTED_SAMPLE = 4;

/** A tile that was read: `column` is its column stripe. */
interface ReadTile extends LeftMatrix {
  readonly top: number;
  readonly column: number;
  readonly probe: StripeProbe;
}

/**
 * Freivalds' check with two Gaussian vectors for each column stripe: C_tile X = A (B X) costs 2 N multiplications a row instead of
 * K N. Integers must agree exactly, floating point within what rounding explains.
 */
export class TaskCheck {
  readonly #files: OperandFiles;
  readonly #tools: CheckTools;
  readonly #probes: readonly StripeProbe[];
  readonly #expectation: Expectation;
  readonly #a: Striping;
  readonly #b: Striping;

  private constructor(files: OperandFiles, tools: CheckTools, { probes, expectation }: Prepared) {
    this.#files = files;
    this.#tools = tools;
    this.#probes = probes;
    this.#expectation = expectation;
    this.#a = stripingOfA(files.spec);
    this.#b = stripingOfB(files.spec);
  }

  /** Reads A once, and B unless it is known. BLOCK_MISSING when a block is gone. */
  static async prepare(files: OperandFiles, tools: CheckTools): Promise<TaskCheck> {
    await tools.products.prepare(files.spec.dtype);
    const probes: StripeProbe[] = [];
    for (const { key, stripe } of stripesOfB(files)) {
      probes.push(await tools.probes.get(key, () => probeStripe(stripe, tools)));
    }
    return new TaskCheck(files, tools, { probes, expectation: await expectationOf(files, probes, tools) });
  }

  async check(tile: Tile): Promise<Omit<Verdict, 'verifyMs'>> {
    const read = this.#read(tile);
    if (read === null) return { ...MISSED, digest: '' };
    const digest = blockIdOf(bytesOf(read.elements));
    const unlike = this.#judgeColumns(read);
    if (unlike !== null) return { ...unlike, digest };
    zeroColumns(read, read.probe.nonFinite);
    return { ...(await this.#judgeRows(read)), digest };
  }

  #read({ path, rows, columns }: Tile): ReadTile | null {
    const column = Math.floor(columns[0] / this.#b.stripeSpan);
    const probe = this.#probes[column];
    const [left, right] = stripeRange(this.#b, column);
    if (
      probe === undefined ||
      columns[0] !== left ||
      columns[1] !== right ||
      rows[0] >= rows[1] ||
      rows[1] > this.#a.span
    ) {
      throw new MusterError(
        'BUG',
        `a tile of rows ${rows.join('..')} and columns ${columns.join('..')} is none of the plan`,
      );
    }
    const dtype = productDtype(this.#files.spec.dtype);
    const [height, depth] = [rows[1] - rows[0], right - left];
    const bytes = this.#tools.tileBuffer.read(path, height * depth * dtypes[dtype].bytes);
    if (bytes === null) return null;
    return { dtype, elements: elementsOf(dtype, bytes), rows: height, depth, top: rows[0], column, probe };
  }

  /** Columns in which B holds NaNs or infinities. */
  #judgeColumns(tile: ReadTile): Outcome | null {
    const columns = tile.probe.nonFinite;
    return columns.length === 0 || this.#agreesInGroups(tile, { rows: upTo(tile.rows), columns }) ? null : MISSED;
  }

  async #judgeRows(tile: ReadTile): Promise<Outcome> {
    const projected = await project(this.#tools.products, tile, tile.probe.probe);
    const residuals = this.#expectation.residuals(projected, tile);
    const limit = clearLimit(this.#files.spec.dtype, { depth: this.#files.spec.k, columns: tile.depth });
    const open: Record<OpenQuestion, number[]> = { unreadable: [], drifted: [] };
    let nearest: Outcome = { ok: true, residual: 0, threshold: 0 };
    // Nearly every row of C takes the short way through this loop, which allocates nothing.
    for (let row = 0; row < tile.rows; row++) {
      const residual = residuals[row] as number;
      const threshold = limit(this.#expectedRms(tile, row), 0);
      const clear = residual <= threshold && threshold < Infinity;
      if (clear && row > 0 && residual * nearest.threshold <= nearest.residual * threshold) continue;
      const judged = clear ? { ok: true, residual, threshold } : this.#judgeRow(tile, row, residual);
      if (typeof judged === 'string') open[judged].push(row);
      else if (!judged.ok) return judged;
      else nearest = judged;
    }
    const columns = upTo(tile.depth).filter((column) => !tile.probe.nonFinite.includes(column));
    const rows = [...open.unreadable, ...sampleOf(open.drifted, DRIFTED_SAMPLE)];
    return this.#agreesInGroups(tile, { rows, columns }) ? nearest : MISSED;
  }

  #expectedRms({ probe, top }: ReadTile, row: number): number {
    return probe.rms * this.#expectation.rowSize(top + row);
  }

  /** Judges a row whose residual is above the first limit. */
  #judgeRow(tile: ReadTile, row: number, quick: number): Outcome | OpenQuestion {
    const { dtype, k: depth } = this.#files.spec;
    const size = { depth, columns: tile.depth };
    const expectedRms = this.#expectedRms(tile, row);
    if (!Number.isFinite(quick) || !Number.isFinite(expectedRms)) return 'unreadable';
    // Where terms do not cancel, C is larger than random signs would make it, and so is the float32 error of C X: the row is projected
    // again in float64.
    const { rms, projections } = projectRow(tile, row, tile.probe.probe);
    const [residual = Infinity] = this.#expectation.residuals(projections, {
      top: tile.top + row,
      column: tile.column,
    });
    const threshold = clearLimit(dtype, size)(expectedRms, rms);
    if (residual <= threshold || this.#refinedResidual(tile, row, projections) <= threshold)
      return { ok: true, residual, threshold };
    const widest = widestLimit(dtype, size)(expectedRms, rms);
    return residual <= widest ? 'drifted' : { ok: false, residual, threshold: widest };
  }

  /** The residual against a (B X) in float64: the one in float32 loses as much as a node's result may where all terms have one sign. */
  #refinedResidual(tile: ReadTile, row: number, projections: Float64Array): number {
    const source = this.#directSource(tile);
    const expected = new Float64Array(PROBE_VECTORS);
    for (let chunk = 0; chunk < this.#a.chunks; chunk++) {
      const [from] = chunkRange(this.#a, chunk);
      addProjection(
        expected,
        rowOfA(source, tile.top + row, chunk),
        tile.probe.projected.subarray(from * PROBE_VECTORS),
      );
    }
    return Math.max(...projections.map((projection, vector) => Math.abs(projection - (expected[vector] as number))));
  }

  #agreesInGroups(tile: ReadTile, { rows, columns }: Selection): boolean {
    for (let from = 0, group = 0; from < rows.length; group++) {
      const to = from + (DIRECT_GROUPS[group] ?? DIRECT_GROUP_MAX);
      if (!this.#agreesDirectly(tile, { rows: rows.slice(from, to), columns })) return false;
      from = to;
    }
    return true;
  }

  #agreesDirectly(tile: ReadTile, { rows, columns }: Selection): boolean {
    const { dtype, k } = this.#files.spec;
    const elementAt = exactElements(this.#directSource(tile), { rows: rows.map((row) => tile.top + row), columns });
    return rows.every((row, i) =>
      columns.every((column, j) => {
        const returned = tile.elements[row * tile.depth + column] as number;
        return elementIsHonest(dtype, returned, { ...elementAt(i * columns.length + j), depth: k });
      }),
    );
  }

  #directSource({ column, depth }: ReadTile): DirectSource {
    const { spec, aPaths, bPaths } = this.#files;
    const from = blockNumber(this.#b, column, 0);
    return {
      spec,
      a: this.#a,
      aPath: (stripe, chunk) => aPaths[blockNumber(this.#a, stripe, chunk)] ?? '',
      bPaths: bPaths.slice(from, from + this.#b.chunks),
      width: depth,
    };
  }
}

interface Prepared {
  readonly probes: readonly StripeProbe[];
  readonly expectation: Expectation;
}

function stripesOfB({ spec, bPaths, bIds }: OperandFiles): { key: string; stripe: StripeFiles }[] {
  const striping = stripingOfB(spec);
  return Array.from({ length: striping.stripes }, (_, column) => {
    const [left, right] = stripeRange(striping, column);
    const from = blockNumber(striping, column, 0);
    const to = from + striping.chunks;
    const key = `${spec.dtype} ${spec.k}x${right - left} ${bIds.slice(from, to).join(' ')}`;
    return { key, stripe: { spec, striping, columns: right - left, paths: bPaths.slice(from, to) } };
  });
}

/** A random sample without repetition, which nodes cannot predict. */
function sampleOf(rows: readonly number[], count: number): readonly number[] {
  if (rows.length <= count) return rows;
  const left = [...rows];
  return Array.from({ length: count }, () => left.splice(randomInt(left.length), 1)[0] as number);
}

function addProjection(sums: Float64Array, row: ArrayLike<number>, projected: Float64Array): void {
  for (let k = 0; k < row.length; k++) {
    for (let vector = 0; vector < PROBE_VECTORS; vector++) {
      const term = (row[k] as number) * (projected[k * PROBE_VECTORS + vector] as number);
      sums[vector] = (sums[vector] as number) + term;
    }
  }
}

const upTo = (length: number): number[] => Array.from({ length }, (_, at) => at);
