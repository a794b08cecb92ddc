/** Everything the provider's core may hear. */
import type { BlockId, SessionId, TaskId, WireError } from '@muster/shared';

export type ProviderEvent =
  | {
      readonly type: 'registered';
      readonly session: SessionId;
      readonly epoch: number;
      readonly keep: readonly number[];
      readonly sharesStore: boolean;
    }
  | { readonly type: 'disconnected' }
  | {
      readonly type: 'leased';
      readonly task: TaskId;
      readonly lease: number;
      readonly taskType: string;
      readonly ranges: readonly number[];
      readonly work: unknown;
      readonly payload: Uint8Array | null;
      readonly blocks: readonly BlockId[];
      readonly inline: boolean;
    }
  /** All blocks of the lease are on this machine. */
  | { readonly type: 'fetched'; readonly lease: number }
  | { readonly type: 'fetch-failed'; readonly lease: number; readonly error: WireError }
  | { readonly type: 'computed'; readonly lease: number; readonly bytes: number; readonly computeMs: number }
  /** `aborted`: we killed the compute process ourselves, for another lease. */
  | { readonly type: 'compute-failed'; readonly lease: number; readonly aborted: boolean; readonly error: WireError }
  | { readonly type: 'settled'; readonly leases: readonly number[] }
  | { readonly type: 'revoked'; readonly leases: readonly number[] }
  | { readonly type: 'stop' };
