import type { Provider, Task } from './cluster-state.ts';

const speedOf = ({ rates }: Provider): number => rates.float32.used;

/** The fastest, in the stable order of `ready`. */
export function fastest(ready: readonly Provider[], task: Task): readonly Provider[] {
  const chosen = new Set(ready.toSorted((a, b) => speedOf(b) - speedOf(a)).slice(0, task.nodes));
  return ready.filter((provider) => chosen.has(provider));
}
