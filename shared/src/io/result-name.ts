import { isTaskId, type TaskId } from '../ids.ts';

/** Name of an incoming result in the store's `incoming` folder, whichever program writes it. */
export const incomingResultName = (task: TaskId, lease: number): string => `${task}-${lease}`;

/** Path of a result that arrives by the broker's stream, until it is complete. */
export const streamedResultPath = (path: string): string => `${path}.streamed`;

/** Name in `incoming` of a block that the trainer makes for a round, until it is taken over. */
export const incomingBlockName = (task: TaskId, round: number, operand: string): string =>
  `${task}-${round}.${operand}`;

/** Null for any other file. */
export const taskOfIncomingBlock = (name: string): TaskId | null =>
  taskIn(/^([^-]+)-\d+\.(?!streamed$)\w+$/.exec(name));

/** Null for any other file. */
export function taskOfIncoming(name: string): TaskId | null {
  return taskIn(/^([^-]+)-\d+(?:\.streamed)?$/.exec(name));
}

function taskIn(match: RegExpExecArray | null): TaskId | null {
  const task = match?.[1] ?? '';
  return isTaskId(task) ? task : null;
}
