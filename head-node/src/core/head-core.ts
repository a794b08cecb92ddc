import type { BlockId, TaskId } from '@muster/shared';
import type { ClusterState } from './cluster-state.ts';
import type { HeadEvent } from './events.ts';

/** The core as sockets and admins see it: events go in, the state may be read. The driver is it. */
export interface HeadCore {
  readonly state: ClusterState;
  post(event: HeadEvent): void;
  /** Leases that a provider that registers shall go on with. */
  register(event: HeadEvent & { type: 'registered' }): readonly number[];
  /** `payload`: the result, where it came with the message. */
  returned(event: HeadEvent & { type: 'returned' }, payload: Uint8Array | null): void;
  /** For as long as the task is open. */
  pin(task: TaskId, block: BlockId): void;
}
