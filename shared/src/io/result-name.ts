import { isTaskId, type TaskId } from '../ids.ts';

/** A result on its way in lies in the store's `incoming` folder under this name, whoever wrote it. */
export const incomingResultName = (task: TaskId, lease: number): string => `${task}-${lease}`;

/** Where the bytes of one that comes by the broker's stream wait until they are complete. */
export const streamedResultPath = (path: string): string => `${path}.streamed`;

/** Null for a file that is no result. */
export function taskOfIncoming(name: string): TaskId | null {
  const [, task = ''] = /^([^-]+)-\d+(?:\.streamed)?$/.exec(name) ?? [];
  return isTaskId(task) ? task : null;
}
