/**
 * Kinds of task that work in rounds, as training does: the results of one round make the blocks of the next. A round is a plan
 * like that of any other task; what comes between two of them is computed in the head's trainer.
 */
import type { BlockId } from '../ids.ts';
import type { NodeFacts, TaskPlan } from './task-type.ts';

/** A block that the head itself brings to a round: the only one of its operand. */
export interface RoundBlock {
  readonly operand: string;
  readonly id: BlockId;
  readonly bytes: number;
}

/** What opens a round: plain data. */
export interface RoundStart {
  /** Ascending within one life of the head. */
  readonly round: number;
  readonly blocks: readonly RoundBlock[];
  /** What only the task type reads. */
  readonly ask: unknown;
}

export interface RoundRules<Spec> {
  /** Cuts a round for these nodes; their rates are those that they reach in this task, where they are known. */
  plan(spec: Spec, start: RoundStart, nodes: readonly NodeFacts[]): TaskPlan;
  /** Accepted subtasks that are enough for the end of a round whose other subtasks are late. */
  quorum(spec: Spec, plan: TaskPlan): number;
}
