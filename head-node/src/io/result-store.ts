import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isTaskId, type TaskId } from '@muster/shared';
import { hashAt, hashInSlices, type HashedFile } from '@muster/shared/io';
import { found, readPiece, type FilePiece } from './read-piece.ts';

/**
 * Results of accepted subtasks: `<directory>/results/<task>/<index>`. `incoming` files of the block store become results by a rename, so
 * the directory must be the same. Files are not synced: damage by a power failure is found with the journal's digest, at the first use
 * after a restart.
 */
export class ResultStore {
  readonly #root: string;
  /** By task and subtask index. */
  readonly #tasks = new Map<TaskId, Map<number, StoredResult>>();
  #usedBytes = 0;

  private constructor(directory: string) {
    this.#root = join(directory, 'results');
  }

  static async open({ directory }: { readonly directory: string }): Promise<ResultStore> {
    const store = new ResultStore(directory);
    mkdirSync(store.#root, { recursive: true, mode: 0o700 });
    for (const task of readdirSync(store.#root).filter(isTaskId)) store.#scan(task);
    return store;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  tasks(): TaskId[] {
    return [...this.#tasks.keys()];
  }

  pathOf(task: TaskId, index: number): string {
    return join(this.#root, task, String(index));
  }

  bytesOf(task: TaskId, index: number): number | undefined {
    return this.#tasks.get(task)?.get(index)?.bytes;
  }

  /**
   * Is the result here, with this length and digest? If its file differs, it is deleted. Reads the whole file once after a start, 5 GB/s.
   */
  holds({ task, index, bytes, digest }: ExpectedResult): boolean {
    const stored = this.#tasks.get(task)?.get(index);
    if (stored === undefined) return false;
    stored.checked ||= stored.bytes === bytes && hashAt(this.pathOf(task, index)) === digest;
    if (!stored.checked) this.#drop(task, index);
    return stored.checked;
  }

  /** Checks the file ahead of `holds`, which would block the event loop while it reads. */
  async check({ task, index, bytes, digest }: ExpectedResult): Promise<void> {
    const stored = this.#tasks.get(task)?.get(index);
    if (stored === undefined || stored.checked) return;
    // Several clients may ask at once.
    stored.hashing ??= hashInSlices(this.pathOf(task, index));
    const hashed = await stored.hashing;
    stored.checked ||= hashed?.bytes === bytes && hashed.digest === digest;
  }

  /** The file becomes the result; an earlier one of this subtask is replaced. BLOCK_MISSING when there is no such file. */
  accept(task: TaskId, index: number, incomingPath: string): void {
    if (!this.#tasks.has(task)) mkdirSync(join(this.#root, task), { recursive: true, mode: 0o700 });
    const bytes = found(incomingPath, () => statSync(incomingPath).size);
    renameSync(incomingPath, this.pathOf(task, index));
    this.#add(task, index, { bytes, checked: true });
  }

  /** See `readPiece`. */
  read({ task, index, offset, length }: ResultPiece): FilePiece {
    return readPiece(this.pathOf(task, index), { offset, length });
  }

  /** The task's results no longer count; their files stay until `remove`. */
  giveUp(task: TaskId): void {
    for (const { bytes } of this.#tasks.get(task)?.values() ?? []) this.#usedBytes -= bytes;
    this.#tasks.delete(task);
  }

  remove(task: TaskId): void {
    this.giveUp(task);
    rmSync(join(this.#root, task), { recursive: true, force: true });
  }

  #scan(task: TaskId): void {
    this.#tasks.set(task, new Map());
    for (const name of readdirSync(join(this.#root, task))) {
      if (!/^\d+$/.test(name)) continue;
      this.#add(task, Number(name), { bytes: statSync(join(this.#root, task, name)).size, checked: false });
    }
  }

  #add(task: TaskId, index: number, result: StoredResult): void {
    const results = this.#tasks.get(task) ?? new Map<number, StoredResult>();
    this.#tasks.set(task, results);
    this.#usedBytes += result.bytes - (results.get(index)?.bytes ?? 0);
    results.set(index, result);
  }

  #drop(task: TaskId, index: number): void {
    this.#usedBytes -= this.bytesOf(task, index) ?? 0;
    this.#tasks.get(task)?.delete(index);
    rmSync(this.pathOf(task, index), { force: true });
  }
}

interface StoredResult {
  readonly bytes: number;
  /** False for a file that was found at start. */
  checked: boolean;
  /** While its file is read for `check`, or once it was. */
  hashing?: Promise<HashedFile | null>;
}

/** As the journal has it. */
export interface ExpectedResult {
  readonly task: TaskId;
  readonly index: number;
  readonly bytes: number;
  readonly digest: string;
}

export interface ResultPiece {
  readonly task: TaskId;
  readonly index: number;
  readonly offset: number;
  readonly length: number;
}
