/** Nodes whose results were found wrong. */
import type { ProviderId } from '@muster/shared';
import type { ClusterState, Task } from './cluster-state.ts';
import { readyProviders } from './turn.ts';

export const hasLied = ({ policy }: ClusterState, { tallies }: Task, id: ProviderId): boolean =>
  (tallies.get(id)?.rejected ?? 0) >= policy.distrustAfter;

/** Too many wrong results in this task. Where no other node is ready, it still gets work and may prove itself. */
export const isDistrusted = (state: ClusterState, task: Task, id: ProviderId): boolean =>
  hasLied(state, task, id) && readyProviders(state).some((other) => !hasLied(state, task, other.id));
