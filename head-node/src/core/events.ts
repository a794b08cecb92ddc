/** Everything the head's core may hear. Each event comes with a moment: monotonic time and a random number. */
import type {
  BlockId,
  DeviceFacts,
  Durability,
  HeldLease,
  ProviderId,
  RoundStart,
  SessionId,
  TaskId,
  TaskType,
  TrainingReport,
  WireError,
} from '@muster/shared';
import type { BackboneView, ReturnedResult } from './cluster-state.ts';
import type { TaskHistory } from './journal-record.ts';

export interface Moment {
  readonly nowMs: number;
  /** Uniform in [0, 1). */
  readonly random: number;
}

export interface Registration {
  readonly provider: ProviderId;
  readonly session: SessionId;
  readonly name: string;
  readonly platform: string;
  readonly device: DeviceFacts;
  readonly credit: number;
  readonly held: readonly HeldLease[];
}

export interface Submission {
  readonly task: TaskId;
  readonly taskType: TaskType<unknown>;
  readonly spec: unknown;
  readonly nodes: number;
  readonly waitNodesMs: number;
  readonly timeoutMs: number;
  readonly durability: Durability;
  /** Whose quota it counts in; null: nobody's. */
  readonly user: string | null;
}

export type { ReturnedResult } from './cluster-state.ts';

/** As they are in the result store, or will be. */
export interface CheckedBytes {
  readonly bytes: number;
  readonly digest: string;
}

export type HeadEvent =
  /** From the journal, before anything else. Blocks that the store lost are absent from `bound`. */
  | {
      readonly type: 'restored';
      readonly history: TaskHistory;
      readonly taskType: TaskType<unknown>;
      readonly user: string | null;
    }
  | ({ readonly type: 'registered' } & Registration)
  /** The provider hears its topic and may get work. */
  | { readonly type: 'provider-ready'; readonly session: SessionId; readonly sharesStore: boolean }
  /** Its subscription went away with its connection. */
  | { readonly type: 'connection-closed'; readonly session: SessionId }
  | { readonly type: 'heartbeat'; readonly session: SessionId; readonly linkBytesPerMs: number }
  | { readonly type: 'bye'; readonly session: SessionId; readonly handBack: readonly number[] }
  /** An admin takes a node out, or lets it have work again. */
  | { readonly type: 'drained'; readonly provider: ProviderId; readonly on: boolean }
  /** A lease of a strict task has gone out: the broker has it. */
  | { readonly type: 'lease-sent'; readonly lease: number }
  /** A lease could not be put on the wire. */
  | { readonly type: 'lease-undelivered'; readonly lease: number }
  | ({ readonly type: 'submitted' } & Submission)
  | { readonly type: 'task-durable'; readonly task: TaskId }
  /** A block of an operand is in the store under this id. */
  | {
      readonly type: 'bound';
      readonly task: TaskId;
      readonly operand: string;
      readonly block: number;
      readonly id: BlockId;
      readonly bytes: number;
    }
  | ({ readonly type: 'returned'; readonly session: SessionId } & ReturnedResult)
  /** The same through the broker: perhaps a second time, perhaps from an earlier life of the head, perhaps before its provider is back. */
  | ({
      readonly type: 'delivered';
      readonly provider: ProviderId;
      readonly attempt: number;
      readonly ranges: readonly number[];
    } & ReturnedResult)
  | {
      readonly type: 'failed';
      readonly session: SessionId;
      readonly task: TaskId;
      readonly lease: number;
      readonly error: WireError;
    }
  /** A result was announced and its bytes are not there: thrown away when nobody wanted them, or gone with an earlier life of the head. */
  | { readonly type: 'bytes-missing'; readonly session: SessionId; readonly task: TaskId; readonly lease: number }
  /** The check of a returned lease ended. */
  | ({
      readonly type: 'checked';
      readonly lease: number;
      readonly ok: boolean;
      readonly why: string;
      readonly verifyMs: number;
    } & CheckedBytes)
  /** What was found right is in the result store. */
  | ({ readonly type: 'kept'; readonly lease: number } & CheckedBytes)
  /** The check came to no verdict: an operand's file is gone, or the result's own, or what checks died at it. */
  | { readonly type: 'check-failed'; readonly lease: number; readonly error: WireError }
  /** The trainer has made the next round. */
  | { readonly type: 'round-ready'; readonly task: TaskId; readonly start: RoundStart; readonly report: TrainingReport }
  /** ... or there is none: what the task is for has been made. */
  | { readonly type: 'rounds-ended'; readonly task: TaskId; readonly report: TrainingReport }
  | {
      readonly type: 'rounds-failed';
      readonly task: TaskId;
      readonly error: WireError;
      /** Null when nothing has come of it. */
      readonly report: TrainingReport | null;
    }
  | ({ readonly type: 'backbone' } & BackboneView)
  /** The start of the head is over: what the broker had is in, or it was not reached. */
  | { readonly type: 'recovered' }
  /** The broker has every message of the task, but for `lost` ones. */
  | { readonly type: 'mirrored'; readonly task: TaskId; readonly lost: number }
  | { readonly type: 'cancelled'; readonly task: TaskId }
  /** With the latest result of this task, results take so much more disk than they may. */
  | { readonly type: 'results-too-large'; readonly task: TaskId; readonly excessBytes: number }
  | { readonly type: 'tick' };
