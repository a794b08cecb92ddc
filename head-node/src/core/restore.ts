/** Restores a task from the journal as it was accepted, with the subtasks that were accepted before the restart. */
import type { TaskPlan } from '@muster/shared';
import type { Task } from './cluster-state.ts';
import type { HeadEvent } from './events.ts';
import { countKept, countOpened } from './accounts.ts';
import { fromRanges } from './index-ranges.ts';
import type { EndedRecord, SubtaskRecord, SubtasksRecord, TaskHistory } from './journal-record.ts';
import { addEnded } from './ended-tasks.ts';
import { checkpointBytesOf } from './endings.ts';
import { startRun } from './plan-task.ts';
import { tallyOf } from './tallies.ts';
import { announceOperands, bindBlock, endIfComplete, newTask } from './tasks.ts';
import type { Turn } from './turn.ts';

export function onRestored(turn: Turn, { history, taskType, user }: HeadEvent & { type: 'restored' }): void {
  const { record, plan, ended } = history;
  const task = newTask(turn, { ...record, taskType, user }, sinceStart(turn, record.acceptedWallMs));
  turn.state.tasks.set(task.id, task);
  task.durable = true;
  task.resultBytes = history.subtasks.reduce((sum, { bytes }) => sum + bytes, 0);
  if (ended !== null) return restoreEnded(turn, task, ended);
  turn.state.open.add(task);
  countOpened(task);
  task.state = 'waiting';
  bindBlocks(task, history);
  if (plan !== null) resume(turn, task, { history, plan });
}

function restoreEnded(turn: Turn, task: Task, { status, endedWallMs }: EndedRecord): void {
  const { state, error } = status;
  Object.assign(task, { state, error, final: status, endedAtMs: sinceStart(turn, endedWallMs) });
  task.operands.clear();
  if (task.rounds !== null) task.resultBytes = checkpointBytesOf(status);
  else if (state !== 'done') task.resultBytes = 0;
  countKept(turn.state, task);
  addEnded(turn, task);
}

/**
 * Converts a wall-clock time of an earlier epoch to this epoch's clock; never later than now, even if the wall clock was set back since.
 */
const sinceStart = ({ state, nowMs }: Turn, wallMs: number): number => Math.min(nowMs, wallMs - state.wallOffsetMs);

function bindBlocks(task: Task, { bound }: TaskHistory): void {
  for (const block of bound) {
    const table = task.operands.get(block.operand);
    if (table !== undefined && table.ids[block.block] === undefined) bindBlock(table, block);
  }
}

interface Resumption {
  readonly history: TaskHistory;
  readonly plan: TaskPlan;
}

/** The nodes that the plan was made for are not registered yet: the team starts empty, and nodes join it as they come. */
function resume(turn: Turn, task: Task, { history, plan }: Resumption): void {
  startRun(task, plan, { team: [], accepted: acceptedIn(history) });
  turn.state.running.add(task);
  task.state = 'running';
  task.verified = task.run?.states.acceptedCount ?? 0;
  for (const record of history.subtasks) {
    const { index, provider, bytes } = record;
    task.outcome?.kept.set(index, { node: provider, bytes });
    task.bytesReceived += bytes;
    creditEarlierWork(task, plan, { record, indices: [index] });
  }
  for (const record of history.ranges) creditEarlierWork(task, plan, { record, indices: fromRanges(record.ranges) });
  announceOperands(turn, task);
  endIfComplete(turn, task);
}

function* acceptedIn({ subtasks, ranges }: TaskHistory): Generator<number> {
  for (const { index } of subtasks) yield index;
  for (const record of ranges) yield* fromRanges(record.ranges);
}

interface EarlierWork {
  readonly record: SubtaskRecord | SubtasksRecord;
  readonly indices: readonly number[];
}

function creditEarlierWork(task: Task, plan: TaskPlan, { record, indices }: EarlierWork): void {
  const tally = tallyOf(task, record.provider);
  tally.computeMs += record.computeMs;
  tally.fetchMs += record.fetchMs;
  tally.subtasks += indices.length;
  for (const index of indices) tally.flops += task.type.flops(task.spec, plan, index);
}
