/** Everything the provider knows about its work: plain data, changed only by `handle`. */
import { RecentLeases, type BlockId, type SessionId, type TaskId } from '@muster/shared';

/**
 * fetching: operand blocks are on their way
 * queued: all blocks are here; waits for the compute process
 * computing: the compute process has it
 * returned: the result was sent; kept until the head has settled it
 */
export type LeasePhase = 'fetching' | 'queued' | 'computing' | 'returned';

export interface WorkResult {
  readonly bytes: number;
  readonly computeMs: number;
  /** File that holds it; '' for inline work, whose result is the payload of the lease. */
  readonly path: string;
}

export interface HeldWork {
  readonly lease: number;
  readonly attempt: number;
  readonly task: TaskId;
  readonly taskType: string;
  readonly ranges: readonly number[];
  readonly work: unknown;
  readonly payload: Uint8Array | null;
  readonly mirrored: boolean;
  /** Blocks that the work reads, without duplicates. */
  readonly blocks: readonly BlockId[];
  phase: LeasePhase;
  /** No longer wanted: abort it, or let it end unreported. */
  revoked: boolean;
  readonly receivedAtMs: number;
  fetchMs: number;
  result: WorkResult | null;
}

export interface ProviderState {
  /** Null while no head has registered us. */
  session: SessionId | null;
  /** Epoch of the head that last registered us. */
  epoch: number;
  /** The smallest lease number that this session may use. */
  firstLease: number;
  /** Whether we read and write the head's store by path. */
  sharesStore: boolean;
  /** Leases that are over: later copies of them are ignored. */
  readonly over: RecentLeases;
  /** By lease, in order of arrival. */
  readonly held: Map<number, HeldWork>;
  stopping: boolean;
}

/** One computing and one queued behind it, so that the compute process never waits for us. */
export const COMPUTE_SLOTS = 2;

/** `spooled`: results of an earlier process that no head has settled. */
export const newProviderState = (spooled: readonly HeldWork[] = []): ProviderState => ({
  session: null,
  epoch: 0,
  firstLease: 0,
  sharesStore: false,
  over: new RecentLeases(),
  held: new Map(spooled.map((held) => [held.lease, held])),
  stopping: false,
});
