import type { ProviderId } from '@muster/shared';
import type { NodeTally, Task } from './cluster-state.ts';

/** The node's tally in the task, made at first use. */
export function tallyOf({ tallies }: Task, id: ProviderId): NodeTally {
  const known = tallies.get(id);
  if (known !== undefined) return known;
  const fresh = { subtasks: 0, flops: 0, computeMs: 0, fetchMs: 0, rejected: 0 };
  tallies.set(id, fresh);
  return fresh;
}
