import type { TaskId, TaskStatus, TileNotice } from '@muster/shared';

/** Clients that wait for a task. */
export interface Audience {
  accepted(task: TaskId): void;
  tile(task: TaskId, tile: TileNotice): void;
  ended(task: TaskId, status: TaskStatus): void;
}
