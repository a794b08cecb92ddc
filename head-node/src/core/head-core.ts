import type { BlockId, TaskId } from '@muster/shared';
import type { ClusterState } from './cluster-state.ts';
import type { HeadEvent } from './events.ts';

/** The core as the io and trust layers see it: events go in, the state may be read. Implemented by the driver. */
export interface HeadCore {
  readonly state: ClusterState;
  post(event: HeadEvent): void;
  /** Returns the leases that the registering provider is to go on with. */
  register(event: HeadEvent & { type: 'registered' }): readonly number[];
  /** `payload`: the result, where it came with the message. */
  returned(event: HeadEvent & { type: 'returned' }, payload: Uint8Array | null): void;
  /** Keeps the block in the store as long as the task is open. */
  pin(task: TaskId, block: BlockId): void;
}
