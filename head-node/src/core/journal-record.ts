/** What the head writes down before it relies on it. The journal keeps the order of the records of each task. */
import type { BlockId, Durability, ProviderId, TaskId, TaskPlan, TaskStatus } from '@muster/shared';

export interface TaskRecord {
  readonly type: 'task';
  readonly task: TaskId;
  /** Of the task type. */
  readonly name: string;
  readonly spec: unknown;
  readonly nodes: number;
  readonly waitNodesMs: number;
  readonly timeoutMs: number;
  readonly durability: Durability;
  /** When it was accepted, ms by the wall clock. */
  readonly acceptedWallMs: number;
}

export interface BoundRecord {
  readonly type: 'bound';
  readonly task: TaskId;
  readonly operand: string;
  readonly block: number;
  readonly id: BlockId;
  readonly bytes: number;
}

export interface PlannedRecord {
  readonly type: 'planned';
  readonly task: TaskId;
  readonly plan: TaskPlan;
}

/** Time that the node spent on it. */
interface Spent {
  readonly computeMs: number;
  readonly fetchMs: number;
}

/** An accepted result that is kept in the result store. */
export interface SubtaskRecord extends Spent {
  readonly type: 'subtask';
  readonly task: TaskId;
  readonly index: number;
  readonly provider: ProviderId;
  readonly attempt: number;
  readonly bytes: number;
  /** BLAKE3 of the result's bytes, as a block id. */
  readonly digest: string;
}

/** Accepted subtasks that leave no bytes behind, as ranges [from, to, ...). */
export interface SubtasksRecord extends Spent {
  readonly type: 'subtasks';
  readonly task: TaskId;
  readonly ranges: readonly number[];
  readonly provider: ProviderId;
}

/** A result that was accepted was missing after a restart: its subtask is open again. */
export interface LostRecord {
  readonly type: 'lost';
  readonly task: TaskId;
  readonly index: number;
}

export interface EndedRecord {
  readonly type: 'ended';
  readonly task: TaskId;
  readonly status: TaskStatus;
  /** ms by the wall clock. */
  readonly endedWallMs: number;
}

/** The head has forgotten the task: all its records are deleted. */
export interface ForgottenRecord {
  readonly type: 'forgotten';
  readonly task: TaskId;
}

export type JournalRecord =
  | TaskRecord
  | BoundRecord
  | PlannedRecord
  | SubtaskRecord
  | SubtasksRecord
  | LostRecord
  | EndedRecord
  | ForgottenRecord;

/** All that the journal knows of one task. */
export interface TaskHistory {
  readonly record: TaskRecord;
  readonly bound: readonly BoundRecord[];
  readonly plan: TaskPlan | null;
  readonly subtasks: readonly SubtaskRecord[];
  readonly ranges: readonly SubtasksRecord[];
  readonly ended: EndedRecord | null;
  /** Epoch of the latest record; for a task that has ended, of its end. */
  readonly epoch: number;
}
