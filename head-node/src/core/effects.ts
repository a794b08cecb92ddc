/** Everything the head's core may ask for. The driver performs effects in order; each completion comes back as an event. */
import type { BlockId, Durability, ProviderId, SessionId, TaskId, TaskStatus, TileNotice } from '@muster/shared';
import type { CheckedBytes, ReturnedResult } from './events.ts';
import type { JournalRecord } from './journal-record.ts';

export interface LeaseOrder {
  readonly session: SessionId;
  readonly provider: ProviderId;
  readonly durability: Durability;
  readonly lease: number;
  readonly attempt: number;
  readonly task: TaskId;
  readonly taskType: string;
  readonly ranges: readonly number[];
  readonly work: unknown;
  readonly payload: Uint8Array | null;
}

export interface CheckOrder {
  readonly task: TaskId;
  readonly taskType: string;
  readonly spec: unknown;
  readonly lease: number;
  readonly indices: readonly number[];
  /** See TaskType.region; of the first index. */
  readonly region: readonly number[];
  readonly provider: ProviderId;
  /** Of a task that works in rounds, else 0. */
  readonly round: number;
  /** See TaskPlan.layout. */
  readonly layout: unknown;
  readonly returned: ReturnedResult;
}

export type HeadEffect =
  /** Answer to the registration that is being handled. */
  | { readonly type: 'reply-registered'; readonly session: SessionId; readonly keep: readonly number[] }
  | ({ readonly type: 'send-lease' } & LeaseOrder)
  /** This provider is on the task's team and cannot read the store by path: it shall listen to the task's topic. */
  | { readonly type: 'open-task'; readonly session: SessionId; readonly task: TaskId }
  /** A node that cannot read the store by path needs this operand block: the broker may have it, for the time when the head is away. */
  | { readonly type: 'mirror-block'; readonly task: TaskId; readonly block: BlockId }
  /** A node of the task is cut off: what the broker was not to have before, it may need now. */
  | { readonly type: 'mirror-kept'; readonly task: TaskId }
  /** It has returned so many wrong results in this task that it gets no more of it. */
  | {
      readonly type: 'quarantined';
      readonly provider: ProviderId;
      readonly name: string;
      readonly task: TaskId;
      readonly rejected: number;
    }
  /** The provider is forgotten; what waits for it in the broker may go. */
  | { readonly type: 'dismiss'; readonly provider: ProviderId }
  /** Put this operand block on the task's topic, before the lease that needs it. */
  | { readonly type: 'share-block'; readonly task: TaskId; readonly block: BlockId }
  /** Its result is here, or nobody wants it. The session is null where it came by the broker, from a provider that is not here. */
  | { readonly type: 'settle'; readonly session: SessionId | null; readonly task: TaskId; readonly lease: number }
  | { readonly type: 'revoke'; readonly session: SessionId; readonly task: TaskId; readonly leases: readonly number[] }
  | { readonly type: 'append'; readonly record: JournalRecord }
  /** Tell when everything appended so far is on disk. */
  | { readonly type: 'confirm'; readonly task: TaskId }
  /** Tell when the broker has every message of this task. */
  | { readonly type: 'await-mirror'; readonly task: TaskId }
  /** All operands are in the store: the verifier may prepare. Ids by block number. */
  | {
      readonly type: 'operands-complete';
      readonly task: TaskId;
      readonly taskType: string;
      readonly spec: unknown;
      readonly operands: ReadonlyMap<string, readonly BlockId[]>;
    }
  | ({ readonly type: 'check' } & CheckOrder)
  /** Make the next round of these accepted subtasks; `round-ready`, `rounds-ended` or `rounds-failed` follows. */
  | { readonly type: 'fold'; readonly task: TaskId; readonly round: number; readonly accepted: readonly number[] }
  /** A result that nobody needs: its bytes may go. */
  | { readonly type: 'discard'; readonly task: TaskId; readonly lease: number }
  /** A checked result goes to the result store, when there is room; `kept` follows, or `check-failed`. */
  | ({ readonly type: 'keep'; readonly task: TaskId; readonly lease: number; readonly index: number } & CheckedBytes)
  | { readonly type: 'announce'; readonly task: TaskId; readonly tile: Omit<TileNotice, 'path'> }
  /** Terminal state reached: watchers are told, the verifier and providers forget the task, pins are released. */
  | { readonly type: 'ended'; readonly task: TaskId; readonly status: TaskStatus }
  /** Results have outlived their time. */
  | { readonly type: 'forget'; readonly task: TaskId }
  | { readonly type: 'log'; readonly level: 'info' | 'warn'; readonly text: string; readonly node: ProviderId | null };
