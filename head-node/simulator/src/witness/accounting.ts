/** Checks the totals of a task that is done. */
import type { TaskStatus } from '@muster/shared';
import { must } from './violation.ts';

export function isBalanced({ taskId, state, tiles, acceptedTiles, verifiedTiles, nodes }: TaskStatus): void {
  if (state !== 'done') return;
  const credited = nodes.reduce((sum, { subtasks }) => sum + subtasks, 0);
  must(acceptedTiles === tiles, `task ${taskId} is done with ${acceptedTiles} of ${tiles} tiles accepted`);
  must(verifiedTiles === tiles, `task ${taskId} is done with ${verifiedTiles} of ${tiles} tiles verified`);
  must(credited === tiles, `task ${taskId} has ${tiles} tiles, and its nodes are credited with ${credited}`);
}
