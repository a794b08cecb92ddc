import { createOptimizer } from './optimizer.ts';
import type { TrainingOptions } from './options.ts';
import { OuterOptimizer } from './outer-optimizer.ts';

/** Names of what the head remembers of a run beside its weights, sorted: a run can go on with what another has left if they are the same. */
export function momentNames(options: TrainingOptions): string[] {
  const alone = options.localSteps > 1;
  const state = alone ? new OuterOptimizer(options, 0).state() : createOptimizer(options, 0).state();
  return Object.keys(state)
    .map((name) => `${alone ? 'outer' : 'optimizer'}.${name}`)
    .toSorted();
}
