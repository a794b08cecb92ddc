/** What the broker's state means for tasks: when leases may be given out, and when a task may end. */
import type { Durability } from '@muster/shared';
import type { ClusterState, Task } from './cluster-state.ts';
import type { Turn } from './turn.ts';

/** A broker that is away does not hold up a mirrored task; one that is up and slow does, or the mirror would fall behind unnoticed. */
export function mayMirror({ backbone }: ClusterState, { durability }: Task): boolean {
  if (durability === 'local' || backbone.state === 'off') return true;
  if (backbone.state !== 'up') return durability === 'mirrored';
  return !backbone.congested;
}

/** May the task end, as far as the broker is concerned? Asks the broker, if that was not done before. */
export function isMirrored(turn: Turn, task: Task): boolean {
  if (task.durability === 'local' || turn.state.backbone.state === 'off') return true;
  if (task.durability === 'mirrored' && isAway(turn.state) && task.mirror !== 'complete') task.mirror = 'incomplete';
  if (task.mirror === 'open') {
    task.mirror = 'awaited';
    turn.effects.push({ type: 'await-mirror', task: task.id });
  }
  return task.mirror !== 'awaited';
}

/** During start-up recovery a broker that is `connecting` does not count as away. */
const isAway = ({ backbone: { state }, recovered }: ClusterState): boolean =>
  state !== 'up' && (state !== 'connecting' || recovered);

/** The durability that is reached, as opposed to the one that was asked for. */
export const durabilityOf = ({ backbone }: ClusterState, { durability, mirror }: Task): Durability =>
  backbone.state === 'off' || mirror === 'incomplete' ? 'local' : durability;

/** Leases of a task in rounds are not mirrored, only its records: a shard's result is of use only to the epoch that opened its round. */
export const durabilityOfLease = ({ durability, rounds }: Task): Durability => (rounds === null ? durability : 'local');
