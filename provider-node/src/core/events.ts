/** Everything the provider's core may hear. */
import type { BlockId, SessionId, TaskId, WireError } from '@muster/shared';
import type { WorkResult } from './provider-state.ts';

export type ProviderEvent =
  | {
      readonly type: 'registered';
      readonly session: SessionId;
      readonly epoch: number;
      /** Of the leases that we offered; others may have come by the broker since we did. */
      readonly keep: readonly number[];
      readonly refused: readonly number[];
      /** Leases with smaller numbers are from before. */
      readonly firstLease: number;
      readonly sharesStore: boolean;
      /** Results that are held no more than in name: their files are gone. */
      readonly missing: readonly number[];
    }
  | { readonly type: 'disconnected' }
  | {
      readonly type: 'leased';
      /** A broker brings copies, late ones too, and what was sent while we were away; `again`: not for the first time. */
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
      /** Its result goes to the broker as well. */
      readonly mirrored: boolean;
    }
  /** All blocks of the lease are on this machine. */
  | { readonly type: 'fetched'; readonly lease: number }
  | { readonly type: 'fetch-failed'; readonly lease: number; readonly error: WireError }
  | { readonly type: 'computed'; readonly lease: number; readonly result: WorkResult }
  /** `aborted`: we killed the compute process ourselves, for another lease. */
  | { readonly type: 'compute-failed'; readonly lease: number; readonly aborted: boolean; readonly error: WireError }
  | { readonly type: 'settled'; readonly leases: readonly number[] }
  | { readonly type: 'revoked'; readonly leases: readonly number[] }
  | { readonly type: 'stop' };
