/** Calls of the verify process. */
import type { MatrixMultSpec, TaskId } from '@muster/shared';

/** The operands' files in the order of their block numbers, and the ids of B's blocks, by which a B that was used before is recognised. */
export interface OperandFiles {
  readonly spec: MatrixMultSpec;
  readonly aPaths: readonly string[];
  readonly bPaths: readonly string[];
  readonly bIds: readonly string[];
}

/** A file that should hold rows x columns elements of C, row-major; the columns are one column stripe of B. */
export interface Tile {
  readonly task: TaskId;
  readonly path: string;
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
}

export interface Verdict {
  readonly ok: boolean;
  /** Of the row that is nearest to its threshold, or furthest above it. Infinity when there was nothing to compare. */
  readonly residual: number;
  readonly threshold: number;
  /** The first check of a task carries the time that was spent on preparing its operands. */
  readonly verifyMs: number;
  /** BLAKE3 of the file, as a block id; '' when the file has the wrong length. */
  readonly digest: string;
}

export interface FileDigest {
  readonly bytes: number;
  /** BLAKE3, as a block id. */
  readonly digest: string;
  readonly verifyMs: number;
}

/** A type, not an interface: it must be assignable to a record. */
export type VerifyCalls = {
  ready: { ask: null; answer: null };
  open: { ask: { readonly task: TaskId; readonly operands: OperandFiles }; answer: null };
  check: { ask: Tile; answer: Verdict };
  digest: { ask: string; answer: FileDigest };
  close: { ask: TaskId; answer: null };
};
