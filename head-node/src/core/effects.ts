/** Everything the head's core may ask for. The driver performs effects in order; what comes of them later is another event. */
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
  /** The current round; 0 for a task without rounds. */
  readonly round: number;
  /** See TaskPlan.layout. */
  readonly layout: unknown;
  readonly returned: ReturnedResult;
}

export type HeadEffect =
  /** Answer to the registration that is being handled. */
  | { readonly type: 'reply-registered'; readonly session: SessionId; readonly keep: readonly number[] }
  | ({ readonly type: 'send-lease' } & LeaseOrder)
  /** This member of the task's team cannot read the store by path: tell it to subscribe to the task's topic. */
  | { readonly type: 'open-task'; readonly session: SessionId; readonly task: TaskId }
  /** A node that cannot read the store by path needs this operand block: offer it to the broker, for when the head is away. */
  | { readonly type: 'mirror-block'; readonly task: TaskId; readonly block: BlockId }
  /** A node of the task is cut off: publish the operand blocks that were held back from the broker so far. */
  | { readonly type: 'mirror-kept'; readonly task: TaskId }
  /** The provider returned so many wrong results in this task that it gets no more of it. */
  | {
      readonly type: 'quarantined';
      readonly provider: ProviderId;
      readonly name: string;
      readonly task: TaskId;
      readonly rejected: number;
    }
  /** The provider is forgotten; its queue in the broker may be deleted. */
  | { readonly type: 'dismiss'; readonly provider: ProviderId }
  /** Put this operand block on the task's topic, before the lease that needs it. */
  | { readonly type: 'share-block'; readonly task: TaskId; readonly block: BlockId }
  /** The lease's result is accepted or not wanted: the provider may forget it. Session null: the provider is not registered. */
  | { readonly type: 'settle'; readonly session: SessionId | null; readonly task: TaskId; readonly lease: number }
  | { readonly type: 'revoke'; readonly session: SessionId; readonly task: TaskId; readonly leases: readonly number[] }
  | { readonly type: 'append'; readonly record: JournalRecord }
  /** Post `task-durable` when the task's records so far are on disk and, unless it is local, with the broker if that is up. */
  | { readonly type: 'confirm'; readonly task: TaskId }
  /** Post `mirrored` when no message of this task waits for the broker any more. */
  | { readonly type: 'await-mirror'; readonly task: TaskId }
  /** All operands are in the store: the judge may prepare. Ids by block number. */
  | {
      readonly type: 'operands-complete';
      readonly task: TaskId;
      readonly taskType: string;
      readonly spec: unknown;
      readonly operands: ReadonlyMap<string, readonly BlockId[]>;
    }
  | ({ readonly type: 'check' } & CheckOrder)
  /** Make the next round from these accepted subtasks; `round-ready`, `rounds-ended` or `rounds-failed` follows. */
  | { readonly type: 'fold'; readonly task: TaskId; readonly round: number; readonly accepted: readonly number[] }
  /** The lease's result is not needed: delete its bytes. */
  | { readonly type: 'discard'; readonly task: TaskId; readonly lease: number }
  /** Move a checked result to the result store, waiting for room if need be; `kept` or `check-failed` follows. */
  | ({ readonly type: 'keep'; readonly task: TaskId; readonly lease: number; readonly index: number } & CheckedBytes)
  | { readonly type: 'announce'; readonly task: TaskId; readonly tile: Omit<TileNotice, 'path'> }
  /** Terminal state reached: watchers are told, the verifier and providers forget the task, pins are released. */
  | { readonly type: 'ended'; readonly task: TaskId; readonly status: TaskStatus }
  /** Delete the task's results. */
  | { readonly type: 'forget'; readonly task: TaskId }
  | { readonly type: 'log'; readonly level: 'info' | 'warn'; readonly text: string; readonly node: ProviderId | null };
