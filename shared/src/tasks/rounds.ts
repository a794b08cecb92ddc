/**
 * Kinds of task that work in rounds, as training does: the results of one round make the blocks of the next. A round is a plan
 * like that of any other task; what comes between two of them is computed in the head's trainer.
 */
import type { BlockId } from '../ids.ts';
import type { NodeFacts, TaskPlan } from './task-type.ts';

/** A block that the head itself makes for a round; the only block of its operand. */
export interface RoundBlock {
  readonly operand: string;
  readonly id: BlockId;
  readonly bytes: number;
}

/** What opens a round: plain data. */
export interface RoundStart {
  /** Ascending within one epoch of the head. */
  readonly round: number;
  readonly blocks: readonly RoundBlock[];
  /** Opaque to all but the task type. */
  readonly ask: unknown;
}

export interface RoundRules<Spec> {
  /** Cuts a round for these nodes; their `gflops` are the rates reached in this task, where known. */
  plan(spec: Spec, start: RoundStart, nodes: readonly NodeFacts[]): TaskPlan;
  /** Number of accepted subtasks with which a round may end while the others are late. */
  quorum(spec: Spec, plan: TaskPlan): number;
}
