import type { TaskId, TaskStatus, TileNotice } from '@muster/shared';

/** Tells clients of the tasks that they have submitted or watch. */
export interface Audience {
  accepted(task: TaskId): void;
  tile(task: TaskId, tile: TileNotice): void;
  ended(task: TaskId, status: TaskStatus): void;
}
