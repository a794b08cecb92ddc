/** The head's store: operand blocks, results that are coming in, and accepted ones. Files outlive the process. */
import type { BlockId, TaskId } from '@muster/shared';

export interface ResultFile {
  readonly bytes: number;
  /** What only a check can tell. */
  readonly correct: boolean;
}

const nameOf = (task: TaskId, lease: number): string => `${task}-${lease}`;

export class HeadFiles {
  readonly blocks = new Set<BlockId>();
  readonly #incoming = new Map<string, ResultFile & { readonly task: TaskId }>();
  readonly #results = new Map<TaskId, Map<number, ResultFile>>();

  /** At the start of a head what was coming in is dropped, but for results of open tasks. */
  open(isOpen: (task: TaskId) => boolean): void {
    for (const [name, { task }] of this.#incoming) if (!isOpen(task)) this.#incoming.delete(name);
  }

  /** What is on its way for a task that has ended goes. */
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

  /** False when there is no such file. */
  accept(task: TaskId, lease: number, index: number): boolean {
    const file = this.incoming(task, lease);
    if (file === undefined) return false;
    this.discard(task, lease);
    this.#results.set(task, (this.#results.get(task) ?? new Map<number, ResultFile>()).set(index, file));
    return true;
  }

  /** Of accepted results. */
  get resultBytes(): number {
    return [...this.#results.values()].reduce((sum, results) => sum + bytesOf(results), 0);
  }

  result(task: TaskId, index: number): ResultFile | undefined {
    return this.#results.get(task)?.get(index);
  }

  remove(task: TaskId): void {
    this.#results.delete(task);
  }
}

const bytesOf = (results: ReadonlyMap<number, ResultFile>): number =>
  [...results.values()].reduce((sum, { bytes }) => sum + bytes, 0);
