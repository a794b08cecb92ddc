/** Everything the provider's core reacts to. */
import type { BlockId, SessionId, TaskId, WireError } from '@muster/shared';
import type { WorkResult } from './provider-state.ts';

export type ProviderEvent =
  | {
      readonly type: 'registered';
      readonly session: SessionId;
      readonly epoch: number;
      /** Leases of our offer that the head leaves with us. Others may have arrived by the broker since the offer. */
      readonly keep: readonly number[];
      readonly refused: readonly number[];
      /** Smaller lease numbers were given out before this session. */
      readonly firstLease: number;
      readonly sharesStore: boolean;
      /** Held results whose files are gone. */
      readonly missing: readonly number[];
    }
  | { readonly type: 'disconnected' }
  | {
      readonly type: 'leased';
      /** A broker delivers copies, some late or sent while we were away; `again`: redelivered. */
      readonly via:
        { readonly broker: false } | { readonly broker: true; readonly epoch: number; readonly again: boolean };
      readonly task: TaskId;
      readonly lease: number;
      readonly attempt: number;
      readonly taskType: string;
      readonly ranges: readonly number[];
      readonly work: unknown;
      readonly payload: Uint8Array | null;
      readonly blocks: readonly BlockId[];
      readonly inline: boolean;
      /** The result goes to the broker as well. */
      readonly mirrored: boolean;
    }
  /** All blocks of the lease are on this machine. */
  | { readonly type: 'fetched'; readonly lease: number }
  | { readonly type: 'fetch-failed'; readonly lease: number; readonly error: WireError }
  | { readonly type: 'computed'; readonly lease: number; readonly result: WorkResult }
  /** `aborted`: we killed the compute process ourselves, perhaps for another lease. */
  | { readonly type: 'compute-failed'; readonly lease: number; readonly aborted: boolean; readonly error: WireError }
  | { readonly type: 'settled'; readonly leases: readonly number[] }
  | { readonly type: 'revoked'; readonly leases: readonly number[] }
  | { readonly type: 'stop' };
