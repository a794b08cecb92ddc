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
  /** For each subtask the position of the node (in the list given to `plan`) that it was cut for, or -1; empty when any node will do for all. */
  readonly homes: readonly number[];
  /** Nodes that the plan uses. */
  readonly nodes: number;
  readonly forecast: readonly ForecastPoint[];
  readonly advice: string;
  /** What only the task type reads. */
  readonly layout: unknown;
}

export interface Operand {
  readonly name: string;
  readonly blocks: number;
}

/** Work as a provider holds it. */
export interface LeasedBlocks {
  readonly work: unknown;
  readonly blocks: readonly BlockId[];
}

/** The answer of `bind` so far: ids of an operand's blocks, by block number. */
export type BlockTable = (need: BlockNeed) => BlockId;

export interface LeaseTerms {
  readonly indices: readonly number[];
  readonly blocks: BlockTable;
  /** Whose it is. */
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
  /** Of a kind that works in rounds; its `plan` is the time before the first one and has no subtasks. */
  readonly rounds: RoundRules<Spec> | null;
  /** What the provider is told about the subtasks of one lease; small, msgpack-able. */
  work(spec: Spec, plan: TaskPlan, lease: LeaseTerms): unknown;
  /** Checks what came of `work` at a provider, and names the blocks that it reads, each once. Throws ZodError. */
  readWork(raw: unknown): LeasedBlocks;
  /** Bulk bytes that travel with a lease, or null. */
  payload(spec: Spec, indices: readonly number[]): Uint8Array | null;
  /** Leases that one provider may hold of this task, or null for the head's own rule. */
  window(spec: Spec): number | null;
  /** Exact size of an operand block. */
  blockBytes(spec: Spec, need: BlockNeed): number;
  /** Exact size of the result of subtask `index`, 0 where nothing is kept. */
  resultBytes(spec: Spec, plan: TaskPlan, index: number): number;
  /** What is kept for the client when all is done, at most: of all results together, or of a checkpoint. */
  keptBytes(spec: Spec): number;
  /** Floating-point (or integer) operations of one subtask. */
  flops(spec: Spec, plan: TaskPlan, index: number): number;
  /** Where the result of subtask `index` lies in the whole: [row from, row to, column from, column to), or [] when it has no place. */
  region(spec: Spec, plan: TaskPlan, index: number): readonly number[];
  /** For the status: [m, k, n] or the like, and the element type or ''. */
  describe(spec: Spec): { readonly shape: readonly number[]; readonly dtype: string };
}
