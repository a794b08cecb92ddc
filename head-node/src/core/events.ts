/** Every event that the head's core handles. Each comes with a moment: monotonic time and a random number. */
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
  /** The user whose quota it counts against; null for none. */
  readonly user: string | null;
}

export type { ReturnedResult } from './cluster-state.ts';

/** Length and digest of a result's bytes. */
export interface CheckedBytes {
  readonly bytes: number;
  readonly digest: string;
}

export type HeadEvent =
  /** A task from the journal, before any peer is heard. Blocks that are missing from the store are absent from `bound`. */
  | {
      readonly type: 'restored';
      readonly history: TaskHistory;
      readonly taskType: TaskType<unknown>;
      readonly user: string | null;
    }
  | ({ readonly type: 'registered' } & Registration)
  /** The provider receives its topic and may get work. */
  | { readonly type: 'provider-ready'; readonly session: SessionId; readonly sharesStore: boolean }
  /** The provider's connection closed: its subscription disappeared. */
  | { readonly type: 'connection-closed'; readonly session: SessionId }
  | { readonly type: 'heartbeat'; readonly session: SessionId; readonly linkBytesPerMs: number }
  | { readonly type: 'bye'; readonly session: SessionId; readonly handBack: readonly number[] }
  /** An admin drains a node, or undrains it. */
  | { readonly type: 'drained'; readonly provider: ProviderId; readonly on: boolean }
  /** A lease of a strict task was sent, after the broker had confirmed it. */
  | { readonly type: 'lease-sent'; readonly lease: number }
  /** A lease could not be sent, or the broker did not take it. */
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
  /** A result through the broker: possibly a duplicate, of a lease from an earlier epoch, or of a provider that is not back yet. */
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
  /** A result was announced, but its bytes are missing: discarded because the lease was over, or lost in a restart or with a connection. */
  | { readonly type: 'bytes-missing'; readonly session: SessionId; readonly task: TaskId; readonly lease: number }
  /** The check of a returned lease ended. */
  | ({
      readonly type: 'checked';
      readonly lease: number;
      readonly ok: boolean;
      readonly why: string;
      readonly verifyMs: number;
    } & CheckedBytes)
  /** A result that passed its check is in the result store. */
  | ({ readonly type: 'kept'; readonly lease: number } & CheckedBytes)
  /** The check reached no verdict: a file of an operand or of the result is missing, or the checking process died. */
  | { readonly type: 'check-failed'; readonly lease: number; readonly error: WireError }
  /** The trainer has made the next round. */
  | { readonly type: 'round-ready'; readonly task: TaskId; readonly start: RoundStart; readonly report: TrainingReport }
  /** ... or there is no next round: the task's result is complete. */
  | { readonly type: 'rounds-ended'; readonly task: TaskId; readonly report: TrainingReport }
  | {
      readonly type: 'rounds-failed';
      readonly task: TaskId;
      readonly error: WireError;
      /** Null if the run has reported nothing yet. */
      readonly report: TrainingReport | null;
    }
  | ({ readonly type: 'backbone' } & BackboneView)
  /** Start-up recovery is over: the results left in the broker were read, or it was not reached. */
  | { readonly type: 'recovered' }
  /** No message of the task waits for the broker any more; `lost` ones did not reach it. */
  | { readonly type: 'mirrored'; readonly task: TaskId; readonly lost: number }
  | { readonly type: 'cancelled'; readonly task: TaskId }
  /** With the latest result of this task, results exceed the disk limit by `excessBytes`. */
  | { readonly type: 'results-too-large'; readonly task: TaskId; readonly excessBytes: number }
  | { readonly type: 'tick' };
