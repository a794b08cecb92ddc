/** The head's store: operand blocks, incoming results and accepted ones. Files outlive the process. */
import type { BlockId, TaskId } from '@muster/shared';
import type { HeadEffect, JournalRecord } from '@muster/head-node/core';

export interface ResultFile {
  readonly bytes: number;
  /** Visible only to a check. */
  readonly correct: boolean;
}

/** An accepted result. */
export interface KeptFile extends ResultFile {
  readonly digest: string;
}

const nameOf = (task: TaskId, lease: number): string => `${task}-${lease}`;

export class HeadFiles {
  readonly blocks = new Set<BlockId>();
  readonly #incoming = new Map<string, ResultFile & { readonly task: TaskId }>();
  readonly #results = new Map<TaskId, Map<number, KeptFile>>();
  /** Step of the latest checkpoint of each training run. */
  readonly #checkpoints = new Map<TaskId, number>();
  /** Tasks whose results no longer count but are still on disk. */
  readonly #givenUp = new Set<TaskId>();

  /** At the start of a head: drops incoming files, except results of open tasks. */
  open(isOpen: (task: TaskId) => boolean): void {
    for (const [name, { task }] of this.#incoming) if (!isOpen(task)) this.#incoming.delete(name);
  }

  /** Drops incoming files of a task that has ended. */
  end(task: TaskId): void {
    for (const [name, file] of this.#incoming) if (file.task === task) this.#incoming.delete(name);
  }

  receive(task: TaskId, lease: number, file: ResultFile): void {
    this.#incoming.set(nameOf(task, lease), { ...file, task });
  }

  incoming(task: TaskId, lease: number): ResultFile | undefined {
    return this.#incoming.get(nameOf(task, lease));
  }

  discard(task: TaskId, lease: number): void {
    this.#incoming.delete(nameOf(task, lease));
  }

  /** False when there is no such incoming file. */
  accept({ task, lease, index, digest }: HeadEffect & { type: 'keep' }): boolean {
    const file = this.incoming(task, lease);
    if (file === undefined) return false;
    this.discard(task, lease);
    const results = this.#results.get(task) ?? new Map<number, KeptFile>();
    this.#results.set(task, results.set(index, { ...file, digest }));
    return true;
  }

  /** Size of the accepted results that count. */
  get resultBytes(): number {
    return [...this.#results].reduce((sum, [task, files]) => sum + (this.#givenUp.has(task) ? 0 : bytesOf(files)), 0);
  }

  result(task: TaskId, index: number): KeptFile | undefined {
    return this.#results.get(task)?.get(index);
  }

  /** Whether this very result is stored. */
  holds({ task, index, bytes, digest }: JournalRecord & { type: 'subtask' }): boolean {
    const file = this.result(task, index);
    return file?.bytes === bytes && file.digest === digest;
  }

  checkpoint(task: TaskId, step: number): void {
    this.#checkpoints.set(task, step);
  }

  checkpointOf(task: TaskId): number {
    return this.#checkpoints.get(task) ?? 0;
  }

  giveUp(task: TaskId): void {
    this.#givenUp.add(task);
  }

  remove(task: TaskId): void {
    this.#results.delete(task);
    this.#checkpoints.delete(task);
    this.#givenUp.delete(task);
  }

  /** At the start of a head: removes results of tasks that cannot have any. */
  removeUnless(mayHave: (task: TaskId) => boolean): void {
    for (const task of this.#results.keys()) if (!mayHave(task)) this.remove(task);
    this.#givenUp.clear();
  }

  /** A power failure: some results are lost. */
  lose(task: TaskId, isLost: () => boolean): void {
    const results = this.#results.get(task);
    for (const index of results?.keys() ?? []) if (isLost()) results?.delete(index);
  }
}

const bytesOf = (results: ReadonlyMap<number, KeptFile>): number =>
  [...results.values()].reduce((sum, { bytes }) => sum + bytes, 0);
