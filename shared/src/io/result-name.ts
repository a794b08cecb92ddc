import type { TaskId } from '../ids.ts';

/** A result on its way in lies in the store's `incoming` folder under this name, whoever wrote it. */
export const incomingResultName = (task: TaskId, lease: number): string => `${task}-${lease}`;
