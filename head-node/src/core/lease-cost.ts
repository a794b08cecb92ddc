/** What a lease asks of its node. */
import { isOperandDtype } from '@muster/shared';
import type { Provider, Running, Task } from './cluster-state.ts';

export interface LeasedWork {
  readonly task: Task;
  readonly run: Running;
  readonly indices: readonly number[];
}

export const flopsOf = ({ task, run, indices }: LeasedWork): number =>
  indices.reduce((sum, index) => sum + task.type.flops(task.spec, run.plan, index), 0);

/** Compute time by measured speed; what it cannot know (inline tasks, a node that is not here) counts as nothing. */
export function expectedMsOf(work: LeasedWork, provider: Provider | undefined): number {
  const { type, spec } = work.task;
  const { dtype } = type.describe(spec);
  if (provider === undefined || type.runs !== 'device' || !isOperandDtype(dtype)) return 0;
  const rate = work.task.rounds?.speeds.get(provider.id) ?? provider.rates[dtype].used;
  return rate > 0 ? flopsOf(work) / (rate * 1e6) : 0;
}
