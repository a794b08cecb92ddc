/** Which subtasks were accepted, over all lives of the head, and whether the journal has that on disk. */
import type { TaskId } from '@muster/shared';
import { fromRanges, type JournalRecord } from '@muster/head-node/core';
import { must } from './violation.ts';

type Certainty = 'written' | 'on disk';

/** Subtasks that this record accepts. */
function acceptedIn(record: JournalRecord): readonly number[] {
  if (record.type === 'subtask') return [record.index];
  return record.type === 'subtasks' ? fromRanges(record.ranges) : [];
}

export class Acceptances {
  readonly #tasks = new Map<TaskId, Map<number, Certainty>>();
  /** Records that take an acceptance back, because a restart did not find the result, and that are not on disk yet. */
  readonly #lost = new Set<JournalRecord & { type: 'lost' }>();

  appended(record: JournalRecord): void {
    const accepted = this.#of(record.task);
    for (const index of acceptedIn(record)) {
      must(!accepted.has(index), `subtask ${index} of task ${record.task} is accepted once`);
      accepted.set(index, 'written');
    }
    if (record.type === 'lost' && accepted.delete(record.index)) this.#lost.add(record);
    if (record.type === 'forgotten') this.#tasks.delete(record.task);
  }

  synced(record: JournalRecord): void {
    const accepted = this.#of(record.task);
    for (const index of acceptedIn(record)) accepted.set(index, 'on disk');
    if (record.type === 'lost') this.#lost.delete(record);
    if (record.type === 'forgotten') this.#tasks.delete(record.task);
  }

  /** What was not on disk never happened. */
  headCrashed(): void {
    for (const accepted of this.#tasks.values())
      for (const [index, certainty] of accepted) if (certainty === 'written') accepted.delete(index);
    for (const { task, index } of this.#lost) this.#of(task).set(index, 'on disk');
    this.#lost.clear();
  }

  certaintyOf(task: TaskId, index: number): Certainty | undefined {
    return this.#tasks.get(task)?.get(index);
  }

  count(task: TaskId): number {
    return this.#tasks.get(task)?.size ?? 0;
  }

  onDisk(): [TaskId, number][] {
    return [...this.#tasks].flatMap(([task, accepted]) =>
      [...accepted].flatMap(([index, certainty]): [TaskId, number][] =>
        certainty === 'on disk' ? [[task, index]] : [],
      ),
    );
  }

  #of(task: TaskId): Map<number, Certainty> {
    const known = this.#tasks.get(task) ?? new Map<number, Certainty>();
    this.#tasks.set(task, known);
    return known;
  }
}
