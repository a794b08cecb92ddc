/** What clients were told must stay true, whatever happens afterwards. */
import { isTerminal, type TaskId, type TaskStatus } from '@muster/shared';
import type { JournalRecord } from '@muster/head-node/core';
import type { HeadLife } from '../head/head-life.ts';
import { must } from './violation.ts';

export class Promises {
  readonly #onDisk = new Set<TaskId>();
  readonly #endOnDisk = new Set<TaskId>();
  readonly #accepted = new Set<TaskId>();
  readonly #ended = new Map<TaskId, TaskStatus>();
  readonly #forgotten = new Set<TaskId>();

  synced(record: JournalRecord): void {
    if (record.type === 'task') this.#onDisk.add(record.task);
    if (record.type === 'ended') this.#endOnDisk.add(record.task);
  }

  appended(record: JournalRecord): void {
    if (record.type === 'forgotten') this.#forgotten.add(record.task);
    if (record.type !== 'ended') return;
    const told = this.#ended.get(record.task)?.state ?? record.status.state;
    must(told === record.status.state, `a client was told that task ${record.task} is ${told}, and it stays so`);
  }

  toldAccepted(task: TaskId): void {
    must(this.#onDisk.has(task), `task ${task} is on disk before a client is told that it is accepted`);
    this.#accepted.add(task);
  }

  toldUnknown(task: TaskId): void {
    must(this.#forgotten.has(task), `task ${task} was accepted and is unknown only when its time is over`);
  }

  toldEnded(status: TaskStatus, life: HeadLife | null): void {
    const id = status.taskId as TaskId;
    must(
      this.#endOnDisk.has(id),
      `the end of task ${id} is on disk before a client is told that it is ${status.state}`,
    );
    this.#ended.set(id, status);
    if (life !== null) this.#resultsAreThere(status, life);
  }

  brokerLetsGo(task: TaskId): void {
    must(this.#endOnDisk.has(task), `the end of task ${task} is on disk before the broker lets go of it`);
  }

  /** At the start of each life of the head, and at the end. */
  verify(life: HeadLife): void {
    for (const task of this.#accepted)
      must(this.#forgotten.has(task) || life.state.tasks.has(task), `task ${task} was accepted and is known`);
    for (const status of this.#ended.values()) this.#resultsAreThere(status, life);
  }

  allEnded(life: HeadLife): void {
    for (const id of this.#accepted) {
      const task = life.state.tasks.get(id);
      must(
        this.#forgotten.has(id) || (task !== undefined && isTerminal(task.state)),
        `task ${id} was accepted and comes to an end (it is ${task?.state ?? 'unknown'})`,
      );
    }
    for (const [id, { state }] of this.#ended) {
      const now = life.state.tasks.get(id)?.state ?? state;
      must(now === state, `a client was told that task ${id} is ${state}, and it stays so (it is ${now})`);
    }
  }

  #resultsAreThere({ taskId, state, task, tiles }: TaskStatus, { files }: HeadLife): void {
    const id = taskId as TaskId;
    if (state !== 'done' || task !== 'matrix_mult' || this.#forgotten.has(id)) return;
    for (let index = 0; index < tiles; index += 1)
      must(files.result(id, index) !== undefined, `task ${id} was reported done and result ${index} is in the store`);
  }
}
