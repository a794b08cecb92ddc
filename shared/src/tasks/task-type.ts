import type { BlockId, ProviderId } from '../ids.ts';
import type { ForecastPoint } from '../protocol/status.ts';
import type { RoundRules } from './rounds.ts';

/** What the planner knows of a node. */
export interface NodeFacts {
  /** Measured rate for the dtypes, GFLOP/s (GOP/s for int8). */
  readonly gflops: { readonly float32: number; readonly float64: number; readonly int8: number };
  readonly memoryBytes: number;
  /** Bytes per millisecond between head and node; shared files count as their read rate. */
  readonly linkBytesPerMs: number;
}

/** Which block of which operand a subtask reads. */
export interface BlockNeed {
  readonly operand: string;
  readonly block: number;
}

/** The cut of a task into subtasks: plain data, kept in the journal, so that an index means the same after a restart. */
export interface TaskPlan {
  readonly subtasks: number;
  /** Subtasks that may travel in one lease. */
  readonly batch: number;
  /** For each subtask the index, in the list given to `plan`, of the node that it was cut for, or -1; empty if any node will do. */
  readonly homes: readonly number[];
  /** Nodes that the plan uses. */
  readonly nodes: number;
  readonly forecast: readonly ForecastPoint[];
  readonly advice: string;
  /** Opaque to all but the task type. */
  readonly layout: unknown;
}

export interface Operand {
  readonly name: string;
  readonly blocks: number;
}

/** A lease's work as a provider parsed it, and the blocks that it reads. */
export interface LeasedBlocks {
  readonly work: unknown;
  readonly blocks: readonly BlockId[];
}

/** Looks up the id of a bound block. */
export type BlockTable = (need: BlockNeed) => BlockId;

export interface LeaseTerms {
  readonly indices: readonly number[];
  readonly blocks: BlockTable;
  /** The provider that gets the lease. */
  readonly node: ProviderId;
}

/**
 * A kind of task. Everything here is pure and synchronous; the heavy work happens in the provider's compute process and in
 * the head's verifier. A new kind is one folder beside `matrix-mult` and one line in registry.ts.
 */
export interface TaskType<Spec> {
  readonly name: string;
  /** 'device' goes to the compute process, 'inline' is answered by the provider itself. */
  readonly runs: 'device' | 'inline';
  /** Checks what a client sent. Throws USAGE, TOO_LARGE or SHAPE_MISMATCH. */
  parseSpec(raw: unknown): Spec;
  operands(spec: Spec): readonly Operand[];
  plan(spec: Spec, nodes: readonly NodeFacts[]): TaskPlan;
  /** Blocks that subtask `index` reads. */
  needs(spec: Spec, plan: TaskPlan, index: number): readonly BlockNeed[];
  /** Null for kinds that do not work in rounds. For one that does, `plan` covers the time before its first round and has no subtasks. */
  readonly rounds: RoundRules<Spec> | null;
  /** Work for the subtasks of one lease, as sent to the provider; small, msgpack-able. */
  work(spec: Spec, plan: TaskPlan, lease: LeaseTerms): unknown;
  /** Parses at the provider what `work` returned, and lists the blocks that it reads, each once. Throws ZodError. */
  readWork(raw: unknown): LeasedBlocks;
  /** Bulk bytes that travel with a lease, or null. */
  payload(spec: Spec, indices: readonly number[]): Uint8Array | null;
  /** Leases that one provider may hold of this task, or null for the head's own rule. */
  window(spec: Spec): number | null;
  /** Exact size of an operand block. */
  blockBytes(spec: Spec, need: BlockNeed): number;
  /** Size of the result of subtask `index`: exact, or for training an upper bound; 0 if nothing is kept. */
  resultBytes(spec: Spec, plan: TaskPlan, index: number): number;
  /** Upper bound of what is kept for the client at the end: all results together, or a checkpoint. */
  keptBytes(spec: Spec): number;
  /** Floating-point (or integer) operations of one subtask. */
  flops(spec: Spec, plan: TaskPlan, index: number): number;
  /** Region of subtask `index` in the whole result: [row from, row to, column from, column to), or [] if it has none. */
  region(spec: Spec, plan: TaskPlan, index: number): readonly number[];
  /** For the status: [m, k, n] or the like, and the element type or ''. */
  describe(spec: Spec): { readonly shape: readonly number[]; readonly dtype: string };
}
