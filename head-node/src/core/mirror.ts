/** What the broker's state means for tasks: when work may go out, and when the end may be told. */
import type { Durability } from '@muster/shared';
import type { ClusterState, Task } from './cluster-state.ts';
import type { Turn } from './turn.ts';

/** A broker that is away does not hold up a mirrored task; one that is there and slow does, or the mirror would fall behind unseen. */
export function mayMirror({ backbone }: ClusterState, { durability }: Task): boolean {
  if (durability === 'local' || backbone.state === 'off') return true;
  if (backbone.state !== 'up') return durability === 'mirrored';
  return !backbone.congested;
}

/** May the end of the task be told, as far as the broker goes? Asks it, if nobody has. */
export function isMirrored(turn: Turn, task: Task): boolean {
  if (task.durability === 'local' || turn.state.backbone.state === 'off') return true;
  if (task.durability === 'mirrored' && isAway(turn.state) && task.mirror !== 'complete') task.mirror = 'incomplete';
  if (task.mirror === 'open') {
    task.mirror = 'awaited';
    turn.effects.push({ type: 'await-mirror', task: task.id });
  }
  return task.mirror !== 'awaited';
}

/** A head that has just begun is about to reach it. */
const isAway = ({ backbone: { state }, recovered }: ClusterState): boolean =>
  state !== 'up' && (state !== 'connecting' || recovered);

/** What holds, as opposed to what was asked for. */
export const durabilityOf = ({ backbone }: ClusterState, { durability, mirror }: Task): Durability =>
  backbone.state === 'off' || mirror === 'incomplete' ? 'local' : durability;

/**
 * What comes of a shard is of use only to the life of the head that opened its round: of a run in rounds the broker has the task and its
 * end, and no leases.
 */
export const durabilityOfLease = ({ durability, rounds }: Task): Durability => (rounds === null ? durability : 'local');
