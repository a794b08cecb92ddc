/** Everything the provider knows about its work: plain data, changed only by `handle`. */
import { RecentLeases, type BlockId, type SessionId, type TaskId } from '@muster/shared';

/**
 * fetching   operand blocks are on their way
 * queued     everything is here; waits for the compute process
 * computing  the compute process has it
 * returned   the result is sent; kept until the head has settled it
 */
export type LeasePhase = 'fetching' | 'queued' | 'computing' | 'returned';

export interface WorkResult {
  readonly bytes: number;
  readonly computeMs: number;
  /** The file that holds it; '' for one that is sent back as it came. */
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
  /** Blocks that it reads, each once. */
  readonly blocks: readonly BlockId[];
  phase: LeasePhase;
  /** Nobody waits for it any more: stop it or let its end go unreported. */
  revoked: boolean;
  readonly receivedAtMs: number;
  fetchMs: number;
  result: WorkResult | null;
}

export interface ProviderState {
  /** Null while no head has registered us. */
  session: SessionId | null;
  /** Of the head that the held leases come from. */
  epoch: number;
  /** The first lease that may be of this session. */
  firstLease: number;
  /** Reads and writes the head's store by path. */
  sharesStore: boolean;
  /** Not worked on again. */
  readonly over: RecentLeases;
  /** By lease, in order of arrival. */
  readonly held: Map<number, HeldWork>;
  stopping: boolean;
}

/** One computing and one behind it, so that the compute process never waits for us. */
export const COMPUTE_SLOTS = 2;

/** `spooled`: results from an earlier life of this process, which no head has settled. */
export const newProviderState = (spooled: readonly HeldWork[] = []): ProviderState => ({
  session: null,
  epoch: 0,
  firstLease: 0,
  sharesStore: false,
  over: new RecentLeases(),
  held: new Map(spooled.map((held) => [held.lease, held])),
  stopping: false,
});
