/** Batches journal records for the event stream: a task's records of LINGER_MS become one message, or a few. */
import { deferred, limits, type Logger, type TaskId } from '@muster/shared';
import type { JournalRecord } from '../core/journal-record.ts';
import { seal } from './sealed-value.ts';

/** The same as in the journal. */
const LINGER_MS = 10;

/** Half a MiB of accepted leases. A head that starts again writes all records of its tasks at once: 18 MiB for an echo of 10,000,000. */
const RECORDS_MAX = 4096;

export interface Batch {
  readonly task: TaskId;
  readonly bytes: Uint8Array;
  readonly key: string;
}

export type PublishBatch = (batch: Batch, onSettled: () => void) => void;

export class RecordBatch {
  readonly #publish: PublishBatch;
  readonly #logger: Logger;
  readonly #waiting = new Map<TaskId, JournalRecord[]>();
  /** The last message of each task, while it is on its way. */
  readonly #last = new Map<TaskId, Promise<void>>();
  /** Messages that `publish` itself refused. */
  readonly #lost = new Map<TaskId, number>();
  #timer: NodeJS.Timeout | undefined;
  #number = 0;

  constructor(publish: PublishBatch, logger: Logger) {
    this.#publish = publish;
    this.#logger = logger;
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
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [task, records] of waiting) for (const bytes of sealedPieces(records)) this.#send(task, bytes);
  }

  lost(task: TaskId): number {
    return this.#lost.get(task) ?? 0;
  }

  /** The task has ended: its `lost` is not asked for any more. */
  forget(task: TaskId): void {
    this.flush();
    this.#lost.delete(task);
  }

  /** Resolves when what was added of this task so far is confirmed by the broker, or lost. */
  written(task: TaskId): Promise<void> {
    this.flush();
    return this.#last.get(task) ?? Promise.resolve();
  }

  #send(task: TaskId, bytes: Uint8Array): void {
    const settled = deferred<void>();
    const onSettled = (): void => {
      settled.resolve();
      if (this.#last.get(task) === settled.promise) this.#last.delete(task);
    };
    this.#last.set(task, settled.promise);
    try {
      this.#publish({ task, bytes, key: `e${task}.${(this.#number += 1)}` }, onSettled);
    } catch (error) {
      this.#logger.warn({ error, task, bytes: bytes.length }, 'records of a task cannot be published');
      this.#lost.set(task, this.lost(task) + 1);
      onSettled();
    }
  }
}

/** At most a MiB each, unless one record alone is larger: readers refuse messages of more than 4 MiB, the broker of more than 16. */
function* sealedPieces(records: readonly JournalRecord[]): Generator<Uint8Array> {
  for (let at = 0; at < records.length; at += RECORDS_MAX) yield* sealedHalves(records.slice(at, at + RECORDS_MAX));
}

function* sealedHalves(records: readonly JournalRecord[]): Generator<Uint8Array> {
  const bytes = seal(records);
  if (bytes.length <= limits.chunkBytesMax.value || records.length === 1) return yield bytes;
  const half = Math.ceil(records.length / 2);
  yield* sealedHalves(records.slice(0, half));
  yield* sealedHalves(records.slice(half));
}
