/** A task out of the journal, as it was accepted, with what was finished before the head went down. */
import type { ProviderId, TaskPlan } from '@muster/shared';
import type { Task } from './cluster-state.ts';
import type { HeadEvent } from './events.ts';
import { fromRanges } from './index-ranges.ts';
import type { TaskHistory } from './journal-record.ts';
import { startRun } from './plan-task.ts';
import { tallyOf } from './results.ts';
import { announceOperands, bindBlock, endIfComplete, newTask } from './tasks.ts';
import type { Turn } from './turn.ts';

export function onRestored(turn: Turn, { history, taskType }: HeadEvent & { type: 'restored' }): void {
  const { record, plan, ended } = history;
  const task = newTask({ ...record, taskType }, turn.nowMs);
  turn.state.tasks.set(task.id, task);
  task.durable = true;
  if (ended !== null) {
    Object.assign(task, {
      state: ended.status.state,
      final: ended.status,
      error: ended.status.error,
      endedAtMs: turn.nowMs,
    });
    task.operands.clear();
    return;
  }
  task.state = 'waiting';
  bindBlocks(task, history);
  if (plan !== null) resume(turn, task, { history, plan });
}

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

/** The nodes that the plan was made for are not here yet; whoever registers takes a position of its team. */
function resume(turn: Turn, task: Task, { history, plan }: Resumption): void {
  startRun(task, plan, { team: [], accepted: acceptedIn(history) });
  turn.state.running.add(task);
  task.state = 'running';
  task.verified = task.run?.states.acceptedCount ?? 0;
  for (const { index, provider, bytes } of history.subtasks) {
    task.outcome?.kept.set(index, { node: provider, bytes });
    creditEarlierWork(task, plan, { provider, indices: [index] });
  }
  for (const { ranges, provider } of history.ranges)
    creditEarlierWork(task, plan, { provider, indices: fromRanges(ranges) });
  announceOperands(turn, task);
  endIfComplete(turn, task);
}

function* acceptedIn({ subtasks, ranges }: TaskHistory): Generator<number> {
  for (const { index } of subtasks) yield index;
  for (const record of ranges) yield* fromRanges(record.ranges);
}

interface EarlierWork {
  readonly provider: ProviderId;
  readonly indices: readonly number[];
}

/** Time spent is not journalled, only who did what. */
function creditEarlierWork(task: Task, plan: TaskPlan, { provider, indices }: EarlierWork): void {
  const tally = tallyOf(task, provider);
  tally.subtasks += indices.length;
  for (const index of indices) tally.flops += task.type.flops(task.spec, plan, index);
}
