/** Everything the head's core may hear. Each event comes with a moment: monotonic time and a random number. */
import type {
  BlockId,
  DeviceFacts,
  HeldLease,
  ProviderId,
  SessionId,
  TaskId,
  TaskType,
  WireError,
} from '@muster/shared';
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
}

export interface ReturnedResult {
  readonly session: SessionId;
  readonly task: TaskId;
  readonly lease: number;
  readonly bytes: number;
  readonly computeMs: number;
  readonly fetchMs: number;
}

export type HeadEvent =
  /** From the journal, before anything else. Blocks that the store lost are absent from `bound`. */
  | { readonly type: 'restored'; readonly history: TaskHistory; readonly taskType: TaskType<unknown> }
  | ({ readonly type: 'registered' } & Registration)
  /** The provider hears its topic and may get work. */
  | { readonly type: 'provider-ready'; readonly session: SessionId; readonly sharesStore: boolean }
  /** Its subscription went away with its connection. */
  | { readonly type: 'connection-closed'; readonly session: SessionId }
  | { readonly type: 'heartbeat'; readonly session: SessionId }
  | { readonly type: 'bye'; readonly session: SessionId; readonly handBack: readonly number[] }
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
  | ({ readonly type: 'returned' } & ReturnedResult)
  | {
      readonly type: 'failed';
      readonly session: SessionId;
      readonly task: TaskId;
      readonly lease: number;
      readonly error: WireError;
    }
  /** The check of a returned lease ended; `kept` are the bytes in the result store, 0 where the type keeps none. */
  | {
      readonly type: 'checked';
      readonly lease: number;
      readonly ok: boolean;
      readonly why: string;
      readonly verifyMs: number;
      readonly digest: string;
      readonly bytes: number;
    }
  | { readonly type: 'cancelled'; readonly task: TaskId }
  /** Results take more disk than they may: the oldest task that has ended goes. */
  | { readonly type: 'results-too-large' }
  | { readonly type: 'tick' };
