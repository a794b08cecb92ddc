import {
  blockIdOf,
  blockNumber,
  bytesOf,
  dtypes,
  elementsOf,
  MusterError,
  productDtype,
  stripeRange,
  stripingOfA,
  stripingOfB,
  type Striping,
} from '@muster/shared';
import { elementIsHonest, residualLimit } from './arithmetic.ts';
import type { OperandFiles, Tile, Verdict } from './calls.ts';
import { exactElements, type DirectSource, type Selection } from './direct.ts';
import { Expectation, expectationOf } from './expectation.ts';
import type { FileBuffer } from './file-buffer.ts';
import type { ProbeCache } from './probe-cache.ts';
import { PROBE_VECTORS, project } from './probe.ts';
import type { LeftMatrix, Products } from './products.ts';
import { rootMeanSquare } from './root-mean-square.ts';
import { probeStripe, zeroColumns, type StripeFiles, type StripeProbe } from './stripe-probe.ts';

export interface CheckTools {
  readonly products: Products;
  readonly probes: ProbeCache;
  readonly operandBuffer: FileBuffer;
  readonly tileBuffer: FileBuffer;
}

/** Rows that are recomputed directly come in growing groups, so that a bad tile is found out by the first. */
const DIRECT_GROUPS = [1, 8, 64];
const DIRECT_GROUP_MAX = 512;

type Outcome = Omit<Verdict, 'verifyMs' | 'digest'>;

const MISSED: Outcome = { ok: false, residual: Infinity, threshold: 0 };

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
    const unclear: number[] = [];
    let nearest: Outcome = { ok: true, residual: 0, threshold: 0 };
    for (let row = 0; row < tile.rows; row++) {
      const judged = this.#judgeRow(tile, row, projected);
      if (judged === null) unclear.push(row);
      else if (!judged.ok) return judged;
      else if (row === 0 || judged.residual * nearest.threshold > nearest.residual * judged.threshold) nearest = judged;
    }
    const columns = upTo(tile.depth).filter((column) => !tile.probe.nonFinite.includes(column));
    return this.#agreesInGroups(tile, { rows: unclear, columns }) ? nearest : MISSED;
  }

  /** null when the projections are not finite, and tell nothing. */
  #judgeRow(tile: ReadTile, row: number, projected: Float64Array): Outcome | null {
    const at = tile.top + row;
    const residual = this.#expectation.residual(at, tile.column, [projected, row * PROBE_VECTORS]);
    const rms = tile.probe.rms * this.#expectation.rowSize(at);
    const threshold = this.#limit(tile, rms);
    if (!Number.isFinite(residual) || !Number.isFinite(threshold)) return null;
    if (residual <= threshold) return { ok: true, residual, threshold };
    // Where A and B do not cancel, C is larger than random signs would make it. Its own size is a pass over the row in JavaScript.
    const wider = this.#limit(tile, rms + rmsOfRow(tile, row));
    return { ok: residual <= wider, residual, threshold: wider };
  }

  #limit(tile: ReadTile, rms: number): number {
    const { dtype, k } = this.#files.spec;
    return residualLimit(dtype, { depth: k, columns: tile.depth, rms });
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

const rmsOfRow = ({ elements, depth }: LeftMatrix, row: number): number =>
  rootMeanSquare(elements, row * depth, (row + 1) * depth);

const upTo = (length: number): number[] => Array.from({ length }, (_, at) => at);
