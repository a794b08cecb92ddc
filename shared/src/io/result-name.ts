import { isTaskId, type TaskId } from '../ids.ts';

/** A result on its way in lies in the store's `incoming` folder under this name, whoever wrote it. */
export const incomingResultName = (task: TaskId, lease: number): string => `${task}-${lease}`;

/** Where the bytes of one that comes by the broker's stream wait until they are complete. */
export const streamedResultPath = (path: string): string => `${path}.streamed`;

/** A block that the trainer makes for a round lies there under this name until it is taken over. */
export const incomingBlockName = (task: TaskId, round: number, operand: string): string =>
  `${task}-${round}.${operand}`;

/** Null for a file that is no such block. */
export const taskOfIncomingBlock = (name: string): TaskId | null =>
  taskIn(/^([^-]+)-\d+\.(?!streamed$)\w+$/.exec(name));

/** Null for a file that is no result. */
export function taskOfIncoming(name: string): TaskId | null {
  return taskIn(/^([^-]+)-\d+(?:\.streamed)?$/.exec(name));
}

function taskIn(match: RegExpExecArray | null): TaskId | null {
  const task = match?.[1] ?? '';
  return isTaskId(task) ? task : null;
}
