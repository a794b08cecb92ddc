import type { ClusterState, Lease, Provider, Task } from './cluster-state.ts';
import type { HeadEffect } from './effects.ts';
import type { Moment } from './events.ts';

/** One event being handled: the state, the moment, and the effects so far. */
export interface Turn extends Moment {
  readonly state: ClusterState;
  readonly effects: HeadEffect[];
}

export function log(
  turn: Turn,
  level: 'info' | 'warn',
  { text, node = null }: { text: string; node?: Provider | null },
): void {
  turn.effects.push({ type: 'log', level, text, node: node?.id ?? null });
}

export const taskOf = (turn: Turn, lease: Lease): Task | undefined => turn.state.tasks.get(lease.task);

export const isActive = (task: Task): boolean =>
  task.state === 'accepted' || task.state === 'waiting' || task.state === 'running';

/** Providers that may get work, in a stable order: planning twice for the same nodes gives the same plan. */
export const readyProviders = (state: ClusterState): readonly Provider[] =>
  (state.ready ??= [...state.providers.values()]
    .filter(({ phase }) => phase === 'ready')
    .toSorted((a, b) => (a.id < b.id ? -1 : 1)));
