/** What a lease asks of its node. */
import { isOperandDtype } from '@muster/shared';
import type { Lease, Provider, Running, Task } from './cluster-state.ts';
import type { Turn } from './turn.ts';

export interface LeasedWork {
  readonly task: Task;
  readonly run: Running;
  readonly indices: readonly number[];
}

interface WatchedLease extends Omit<LeasedWork, 'indices'> {
  readonly lease: Lease;
}

export const flopsOf = ({ task, run, indices }: LeasedWork): number =>
  indices.reduce((sum, index) => sum + task.type.flops(task.spec, run.plan, index), 0);

/**
 * Compute time by measured speed; of a kind whose arithmetic nobody knows, what its subtasks took on this node so far. What it cannot
 * know (inline tasks, a node that is not here) counts as nothing.
 */
export function expectedMsOf(work: LeasedWork, provider: Provider | undefined): number {
  const { type, spec } = work.task;
  const { dtype } = type.describe(spec);
  if (provider === undefined || type.runs !== 'device') return 0;
  const flops = flopsOf(work);
  if (flops === 0) return work.indices.length * meanMsOf(work.task, provider);
  if (!isOperandDtype(dtype)) return 0;
  const rate = work.task.rounds?.speeds.get(provider.id) ?? provider.rates[dtype].used;
  return rate > 0 ? flops / (rate * 1e6) : 0;
}

function meanMsOf({ tallies }: Task, { id }: Provider): number {
  const tally = tallies.get(id);
  return tally === undefined || tally.subtasks === 0 ? 0 : tally.computeMs / tally.subtasks;
}

/** When a lease is too old: then its compute is taken to be wedged. More may be known of its node by now than when it was given. */
export function deadlineMsOf({ state: { policy, providers } }: Turn, { task, run, lease }: WatchedLease): number {
  const { deadlineFactor, deadlineMinMs, firstDeadlineMs, slowLinkBytesPerMs } = policy;
  const { indices, provider, fetchBytes } = lease;
  const expectedMs = Math.max(lease.expectedMs, expectedMsOf({ task, run, indices }, providers.get(provider)));
  const usualMs = Math.max(deadlineMinMs, deadlineFactor * expectedMs) + fetchBytes / slowLinkBytesPerMs;
  return isForeseen({ task, run, lease }) ? usualMs : Math.max(usualMs, firstDeadlineMs);
}

/** Of the first work of a node in a run nobody knows how long its data takes; of some kinds, not even how long the work takes. */
function isForeseen({ task, run, lease: { provider, indices } }: WatchedLease): boolean {
  if ((task.tallies.get(provider)?.subtasks ?? 0) > 0 || task.type.runs === 'inline') return true;
  return task.rounds === null && flopsOf({ task, run, indices }) > 0;
}
