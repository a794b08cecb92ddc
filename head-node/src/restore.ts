/** What a head that starts takes up of its earlier lives, before it hears anybody. */
import { taskTypeNamed } from '@muster/shared';
import type { BlockStore } from '@muster/shared/io';
import type { Task } from './core/cluster-state.ts';
import { lostBetween, recordsOf } from './core/history.ts';
import type { TaskHistory } from './core/journal-record.ts';
import type { Driver } from './driver.ts';
import type { Journal } from './io/journal.ts';
import type { Mirror } from './io/mirror.ts';
import type { ResultStore } from './io/result-store.ts';
import type { TrainingRuns } from './io/training-runs.ts';
import type { Trainer } from './train/index.ts';
import type { Trust } from './trust/trust.ts';

export interface RestorePorts {
  readonly journal: Journal;
  readonly blocks: BlockStore;
  readonly results: ResultStore;
  readonly mirror: Mirror;
  readonly runs: TrainingRuns;
  readonly trainer: Trainer;
  readonly trust: Trust;
}

/**
 * Tasks as they were accepted, in that order. Blocks that are not in the store any more are waited for again, results that are not
 * there as they were accepted are computed again; those of an ended task are looked at when somebody asks for them.
 */
export function restore(driver: Driver, ports: RestorePorts): void {
  const { journal, results, runs, trainer, trust } = ports;
  for (const provider of trust.roster.drained) driver.post({ type: 'drained', provider, on: true });
  const histories = [...journal.replay()];
  for (const history of histories.toSorted((a, b) => a.record.acceptedWallMs - b.record.acceptedWallMs)) {
    const found = history.ended === null ? whatIsLeft(history, ports) : history;
    // Before the event, which may end the task and let go of them.
    if (history.ended === null) for (const { task, id } of found.bound) driver.pin(task, id);
    if (history.ended === null) writeAgain(history, found, ports);
    const { task, name } = history.record;
    driver.post({ type: 'restored', history: found, taskType: taskTypeNamed(name), user: trust.userOfTask(task) });
  }
  for (const task of results.tasks()) if (!mayHaveResults(driver.state.tasks.get(task))) results.remove(task);
  for (const task of trainer.tasks()) if (!driver.state.tasks.has(task)) runs.forget(task);
}

/** A crash may have come between the journal and the broker, so the broker gets all again; an audit counts what it has twice. */
function writeAgain(history: TaskHistory, found: TaskHistory, { journal, mirror }: RestorePorts): void {
  const lost = lostBetween(history, found);
  journal.append(lost);
  if (history.record.durability === 'local') return;
  for (const record of [...recordsOf(found), ...lost]) mirror.record(record);
}

const whatIsLeft = (history: TaskHistory, { blocks, results }: RestorePorts): TaskHistory => ({
  ...history,
  bound: history.bound.filter(({ id }) => blocks.has(id)),
  subtasks: history.subtasks.filter((subtask) => results.holds(subtask)),
});

const mayHaveResults = (task: Task | undefined): boolean => task?.state === 'running' || task?.state === 'done';
