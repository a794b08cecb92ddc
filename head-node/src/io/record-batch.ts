/** Journal records of mirrored tasks on their way to the event stream: those of one moment and task are one message. */
import { deferred, type TaskId } from '@muster/shared';
import type { JournalRecord } from '../core/journal-record.ts';
import { seal } from './sealed-value.ts';

/** As long as the journal lets records wait for each other. */
const LINGER_MS = 10;

export interface Batch {
  readonly task: TaskId;
  readonly bytes: Uint8Array;
  readonly key: string;
}

export type PublishBatch = (batch: Batch, onSettled: () => void) => void;

export class RecordBatch {
  readonly #publish: PublishBatch;
  readonly #waiting = new Map<TaskId, JournalRecord[]>();
  /** The last message of each task, while it is on its way. */
  readonly #last = new Map<TaskId, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #number = 0;

  constructor(publish: PublishBatch) {
    this.#publish = publish;
  }

  add(record: JournalRecord): void {
    const waiting = this.#waiting.get(record.task);
    if (waiting === undefined) this.#waiting.set(record.task, [record]);
    else waiting.push(record);
    this.#timer ??= setTimeout(() => this.flush(), LINGER_MS);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [task, records] of this.#waiting) this.#send(task, records);
    this.#waiting.clear();
  }

  /** Resolves when what was added of this task so far is with the broker, or lost to it. */
  written(task: TaskId): Promise<void> {
    this.flush();
    return this.#last.get(task) ?? Promise.resolve();
  }

  #send(task: TaskId, records: readonly JournalRecord[]): void {
    const settled = deferred<void>();
    this.#last.set(task, settled.promise);
    this.#publish({ task, bytes: seal(records), key: `e${task}.${(this.#number += 1)}` }, () => {
      settled.resolve();
      if (this.#last.get(task) === settled.promise) this.#last.delete(task);
    });
  }
}
