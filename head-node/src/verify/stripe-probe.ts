import { chunkRange, type MatrixMultSpec, type OperandDtype, type Striping } from '@muster/shared';
import type { FileBuffer } from './file-buffer.ts';
import { drawProbe, PROBE_VECTORS, project, type Probe } from './probe.ts';
import type { LeftMatrix, Products } from './products.ts';
import { rootMeanSquare } from './root-mean-square.ts';

/** A column stripe B_j and its secret vectors X_j; good for every task that multiplies by this stripe. */
export interface StripeProbe {
  readonly probe: Probe;
  /** B_j X_j, K x 2. */
  readonly projected: Float64Array;
  /** Root mean square of `projected`; not finite when it overflowed although B_j is finite: then nothing can be concluded from it. */
  readonly projectedRms: number;
  /** Root mean square of the elements of B_j, estimated from `projected`. */
  readonly rms: number;
  /** Columns of B_j that hold a NaN or an infinity; they count as zeros here, and are recomputed directly in every tile. */
  readonly nonFinite: readonly number[];
}

export interface ProbeTools {
  readonly products: Products;
  readonly operandBuffer: FileBuffer;
}

/** One column stripe of B in its files. */
export interface StripeFiles {
  readonly spec: MatrixMultSpec;
  readonly striping: Striping;
  readonly columns: number;
  /** By chunk. */
  readonly paths: readonly string[];
}

export async function probeStripe(files: StripeFiles, tools: ProbeTools): Promise<StripeProbe> {
  const probe = drawProbe(files.spec.dtype, { columns: files.columns, depth: files.spec.k });
  const projected = await projectBlocks(files, tools, { probe, nonFinite: [] });
  const drawn = summary(files, { probe, projected, nonFinite: [] });
  if (Number.isFinite(drawn.projectedRms)) return drawn;
  const nonFinite = nonFiniteColumns(files, tools);
  return summary(files, { probe, nonFinite, projected: await projectBlocks(files, tools, { probe, nonFinite }) });
}

function summary({ columns }: StripeFiles, drawn: Pick<StripeProbe, 'probe' | 'projected' | 'nonFinite'>): StripeProbe {
  const projectedRms = rootMeanSquare(drawn.projected);
  // E[(b x)^2] = |b|^2 for a Gaussian x.
  return { ...drawn, projectedRms, rms: projectedRms / Math.sqrt(columns) };
}

async function projectBlocks(
  files: StripeFiles,
  tools: ProbeTools,
  { probe, nonFinite }: Pick<StripeProbe, 'probe' | 'nonFinite'>,
): Promise<Float64Array> {
  const projected = new Float64Array(files.spec.k * PROBE_VECTORS);
  for (const [chunk, path] of files.paths.entries()) {
    const [from] = chunkRange(files.striping, chunk);
    const block = readBlock(files, { chunk, path }, tools);
    zeroColumns(block, nonFinite);
    projected.set(await project(tools.products, block, probe), from * PROBE_VECTORS);
  }
  return projected;
}

function readBlock(
  { spec, striping, columns }: StripeFiles,
  { chunk, path }: { readonly chunk: number; readonly path: string },
  { operandBuffer }: ProbeTools,
): LeftMatrix {
  const [from, to] = chunkRange(striping, chunk);
  const dtype: OperandDtype = spec.dtype;
  return {
    dtype,
    elements: operandBuffer.readElements(path, dtype, (to - from) * columns),
    rows: to - from,
    depth: columns,
  };
}

function nonFiniteColumns(files: StripeFiles, tools: ProbeTools): number[] {
  const found = new Set<number>();
  for (const [chunk, path] of files.paths.entries()) {
    const { elements, depth } = readBlock(files, { chunk, path }, tools);
    for (let at = 0; at < elements.length; at++) if (!Number.isFinite(elements[at])) found.add(at % depth);
  }
  return [...found].toSorted((a, b) => a - b);
}

/** In place. */
export function zeroColumns({ elements, rows, depth }: LeftMatrix, columns: readonly number[]): void {
  for (const column of columns) for (let row = 0; row < rows; row++) elements[row * depth + column] = 0;
}
