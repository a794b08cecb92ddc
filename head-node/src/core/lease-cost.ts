/** The work of a lease. */
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
 * Compute time from the measured speed; for task types without a known FLOP count, from this node's subtasks of the task so far. 0 where
 * neither is known (inline tasks, a node that is not registered).
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

/**
 * Age at which a lease's compute is taken to be stuck. Takes the larger of two estimates, at lease time and now: more may be known of the
 * node by now.
 */
export function deadlineMsOf({ state: { policy, providers } }: Turn, { task, run, lease }: WatchedLease): number {
  const { deadlineFactor, deadlineMinMs, firstDeadlineMs, slowLinkBytesPerMs } = policy;
  const { indices, provider, fetchBytes } = lease;
  const expectedMs = Math.max(lease.expectedMs, expectedMsOf({ task, run, indices }, providers.get(provider)));
  const usualMs = Math.max(deadlineMinMs, deadlineFactor * expectedMs) + fetchBytes / slowLinkBytesPerMs;
  return isForeseen({ task, run, lease }) ? usualMs : Math.max(usualMs, firstDeadlineMs);
}

/**
 * Can the time of the lease be estimated? Not for a node's first work in a training run, whose samples take an unknown time to fetch, nor
 * for its first work of a task type without a known FLOP count.
 */
function isForeseen({ task, run, lease: { provider, indices } }: WatchedLease): boolean {
  if ((task.tallies.get(provider)?.subtasks ?? 0) > 0 || task.type.runs === 'inline') return true;
  return task.rounds === null && flopsOf({ task, run, indices }) > 0;
}
