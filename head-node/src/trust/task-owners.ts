/** Which enrolled identity submitted a task, also after a restart. Tasks of the head's own account are not in it. */
import type { TaskId } from '@muster/shared';
import { writePrivateFile } from '@muster/shared/io';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** The file is rewritten when stale lines, of forgotten tasks, outnumber the others by this. */
const STALE_MAX = 1000;

export class TaskOwners {
  readonly #path: string;
  readonly #owners = new Map<TaskId, string>();
  #lines: number;

  /** A line is `task identity`. */
  constructor(path: string) {
    this.#path = path;
    const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
    this.#lines = lines.length;
    for (const line of lines) {
      const [task, owner] = line.split(' ');
      if (task !== undefined && owner !== undefined) this.#owners.set(task as TaskId, owner);
    }
  }

  ownerOf(task: TaskId): string | undefined {
    return this.#owners.get(task);
  }

  /** Written before the task itself is journalled. */
  set(task: TaskId, owner: string): void {
    if (this.#owners.get(task) === owner) return;
    this.#owners.set(task, owner);
    appendFileSync(this.#path, `${task} ${owner}\n`, { mode: 0o600 });
    this.#lines += 1;
  }

  /** The head has forgotten the task. */
  forget(task: TaskId): void {
    if (this.#owners.delete(task) && this.#lines > 2 * this.#owners.size + STALE_MAX) this.#write();
  }

  /** Drops the owners of tasks that the head does not know. */
  keepOnly(isKnown: (task: TaskId) => boolean): void {
    for (const task of this.#owners.keys()) if (!isKnown(task)) this.#owners.delete(task);
    this.#write();
  }

  #write(): void {
    const lines = [...this.#owners].map(([task, owner]) => `${task} ${owner}\n`);
    writePrivateFile(this.#path, lines.join(''));
    this.#lines = lines.length;
  }
}
