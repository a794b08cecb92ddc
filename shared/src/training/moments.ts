import { createOptimizer } from './optimizer.ts';
import type { TrainingOptions } from './options.ts';
import { OuterOptimizer } from './outer-optimizer.ts';

/** Sorted names of the moments that the head keeps for a run: a run can resume from another's checkpoint if they are equal. */
export function momentNames(options: TrainingOptions): string[] {
  const alone = options.localSteps > 1;
  const state = alone ? new OuterOptimizer(options, 0).state() : createOptimizer(options, 0).state();
  return Object.keys(state)
    .map((name) => `${alone ? 'outer' : 'optimizer'}.${name}`)
    .toSorted();
}
