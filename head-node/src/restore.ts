/** What a starting head takes over from earlier epochs, before it hears any peer. */
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
 * Restores tasks in the order in which they were accepted. Blocks that are missing from the store are awaited again, results that are not
 * as the journal has them are computed again; results of ended tasks are checked only when they are asked for.
 */
export function restore(driver: Driver, ports: RestorePorts): void {
  const { journal, results, runs, trainer, trust } = ports;
  for (const provider of trust.roster.drained) driver.post({ type: 'drained', provider, on: true });
  const histories = [...journal.replay()];
  for (const history of histories.toSorted((a, b) => a.record.acceptedWallMs - b.record.acceptedWallMs)) {
    const found = history.ended === null ? whatIsLeft(history, ports) : history;
    // Before the event, which may end the task and unpin them.
    if (history.ended === null) for (const { task, id } of found.bound) driver.pin(task, id);
    if (history.ended === null) writeAgain(history, found, ports);
    const { task, name } = history.record;
    driver.post({ type: 'restored', history: found, taskType: taskTypeNamed(name), user: trust.userOfTask(task) });
  }
  for (const task of results.tasks()) if (!mayHaveResults(driver.state.tasks.get(task))) results.remove(task);
  for (const task of trainer.tasks()) if (!driver.state.tasks.has(task)) runs.forget(task);
}

/** A crash may have come between journal and broker, so the broker gets all records again; an audit counts the duplicates. */
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
