import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { formatBytes, isMusterError, MusterError, type TaskId } from '@muster/shared';
import { DirectoryLock, diskFull, freeBytesIn, systemCodeOf } from '@muster/shared/io';
import { open, type Database, type RootDatabase } from 'lmdb';
import type { JournalRecord, TaskHistory } from '../core/journal-record.ts';
import { historyOf } from '../core/history.ts';
import { extendToDeclaredLength } from './lmdb-file.ts';
import { seal, unseal } from './sealed-value.ts';

/** Records are written together after this time, unless `durable` is called: each transaction costs a sync of the disk, 0.25 to 4 ms. */
const LINGER_MS = 10;

/**
 * LMDB is unusable after a commit that failed for lack of space, so none is begun with less than this. Until there is room, records stay
 * queued and `durable` does not resolve.
 */
const ROOM_MIN_BYTES = 2 * 2 ** 20;
/** New tasks are refused below this, so that accepted ones can still end. */
const ROOM_FOR_TASK_BYTES = 4 * ROOM_MIN_BYTES;
const ROOM_CHECK_MS = 250;

/** Grows with every change of the records that an older program would misread. */
const FORMAT_VERSION = 3;

/** [task, epoch, number of the append call in it]: a task's records lie together, in the order in which they were written. */
type RecordKey = [task: string, epoch: number, append: number];

interface KeyRange {
  readonly start: RecordKey;
  readonly end: RecordKey;
}

const rangeOf = (task: TaskId): KeyRange => ({ start: [task, 0, 0], end: [task, Infinity, 0] });

interface WrittenTask {
  readonly task: TaskId;
  readonly records: JournalRecord[];
  /** Epoch of the last record. */
  readonly epoch: number;
}

interface Opened {
  readonly root: RootDatabase<Buffer, string>;
  readonly records: Database<Buffer, RecordKey>;
  readonly epoch: number;
  readonly headId: string;
}

/**
 * The head's write-ahead journal: what it must know after a crash. One value holds all records of a task from one `append`,
 * so that thousands of accepted subtasks a second are few writes; LMDB puts the writes of one turn of the event loop in one
 * transaction and syncs it in a thread of its own (0.25 ms on a local disk).
 */
export class Journal {
  readonly epoch: number;
  /** 16 hex digits, drawn when the journal was made; identifies the head across restarts. */
  readonly headId: string;
  readonly #lock: DirectoryLock;
  readonly #root: RootDatabase<Buffer, string>;
  readonly #records: Database<Buffer, RecordKey>;
  readonly #path: string;
  #appends = 0;
  readonly #waiting: JournalRecord[] = [];
  readonly #onWritten: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #fault: Error | null = null;

  private constructor(path: string, lock: DirectoryLock, { root, records, epoch, headId }: Opened) {
    this.#path = path;
    this.#lock = lock;
    this.#root = root;
    this.#records = records;
    this.epoch = epoch;
    this.headId = headId;
  }

  /** Throws STATE_IN_USE and STATE_CORRUPT. The new epoch is on disk when this resolves. */
  static async open({ directory }: { readonly directory: string }): Promise<Journal> {
    const lock = DirectoryLock.take(directory);
    const path = join(directory, 'journal.mdb');
    try {
      expectRoom(path, ROOM_MIN_BYTES);
      extendToDeclaredLength(path);
      return new Journal(path, lock, await openDatabase(path));
    } catch (error) {
      lock.release();
      throw corrupt(path, error);
    }
  }

  /** Queues records in the order of the calls; `durable` resolves when they are on disk. */
  append(records: readonly JournalRecord[]): void {
    this.#waiting.push(...records);
    this.#timer ??= setTimeout(() => this.#write(), LINGER_MS);
  }

  /** Throws DISK_FULL when there is no room for the records of one more task. */
  expectRoomForTask(): void {
    expectRoom(this.#path, ROOM_FOR_TASK_BYTES);
  }

  hasRoomForTask(): boolean {
    return freeBytesIn(dirname(this.#path)) >= ROOM_FOR_TASK_BYTES;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length > 0 && freeBytesIn(dirname(this.#path)) < ROOM_MIN_BYTES) {
      this.#timer = setTimeout(() => this.#write(), ROOM_CHECK_MS);
      return;
    }
    this.#put(this.#waiting.splice(0));
    for (const written of this.#onWritten.splice(0)) written();
  }

  #put(records: readonly JournalRecord[]): void {
    for (const [task, group] of grouped(records)) {
      const forgotten = group.findLastIndex(({ type }) => type === 'forgotten');
      if (forgotten >= 0) this.#forget(task);
      const kept = group.slice(forgotten + 1);
      if (kept.length > 0) this.#watch(this.#records.put([task, this.epoch, (this.#appends += 1)], seal(kept)));
    }
  }

  /**
   * Resolves when everything appended so far is on disk, even if it has to wait for space. Rejects with DISK_FULL once a write has failed,
   * and from then on always.
   */
  async durable(): Promise<void> {
    this.#write();
    if (this.#waiting.length > 0) await new Promise<void>((resolve) => this.#onWritten.push(resolve));
    try {
      await this.#records.flushed;
    } catch (error) {
      this.#fault ??= asError(error);
    }
    if (this.#fault !== null)
      throw diskFull({ path: this.#path, bytes: 0 }, { why: this.#fault.message, cause: this.#fault });
  }

  /** One task's history, as far as it is written; null for a task that is not, or no longer, in the journal. */
  history(task: TaskId): TaskHistory | null {
    for (const { records, epoch } of this.#recordsByTask(rangeOf(task))) return historyOf(records, epoch);
    return null;
  }

  /** Task by task; STATE_CORRUPT when a record is damaged. */
  *replay(): Iterable<TaskHistory> {
    for (const { task, records, epoch } of this.#recordsByTask({})) {
      const history = historyOf(records, epoch);
      // No task record: the task was forgotten, and a record was written after that.
      if (history === null) this.#forget(task);
      else yield history;
    }
  }

  async close(): Promise<void> {
    this.#write();
    clearTimeout(this.#timer);
    await this.#root.close();
    this.#lock.release();
  }

  *#recordsByTask(range: Partial<KeyRange>): Iterable<WrittenTask> {
    let written: WrittenTask | null = null;
    try {
      for (const { key, value } of this.#records.getRange(range)) {
        const [task, epoch] = key as [TaskId, number, number];
        if (written !== null && written.task !== task) yield written;
        const before: JournalRecord[] = written?.task === task ? written.records : [];
        before.push(...(unseal(value) as JournalRecord[]));
        written = { task, epoch, records: before };
      }
    } catch (error) {
      throw corrupt(this.#path, error);
    }
    if (written !== null) yield written;
  }

  /** This transaction sees the puts before it and the later ones of the same turn; the end of the range excludes the later ones. */
  #forget(task: TaskId): void {
    const end: RecordKey = [task, this.epoch, this.#appends + 1];
    const removal = this.#records.transaction(() => {
      const keys = Array.from(this.#records.getKeys({ ...rangeOf(task), end }));
      for (const key of keys) void this.#records.remove(key);
    });
    this.#watch(removal);
  }

  #watch(write: Promise<unknown>): void {
    write.catch((error: unknown) => {
      this.#fault ??= asError(error);
    });
  }
}

async function openDatabase(path: string): Promise<Opened> {
  const root = open<Buffer, string>({ path, encoding: 'binary', maxDbs: 4 });
  try {
    const facts = root.openDB<Buffer, string>({ name: 'facts', encoding: 'binary' });
    const format = readFact(facts, 'format') ?? FORMAT_VERSION;
    if (format !== FORMAT_VERSION) throw otherFormat(path, format);
    const epoch = Number(readFact(facts, 'epoch') ?? 0) + 1;
    const headId = (readFact(facts, 'head') ?? randomBytes(8).toString('hex')) as string;
    const written = Object.entries({ format, epoch, head: headId }).map(([name, fact]) => facts.put(name, seal(fact)));
    await Promise.all(written);
    await facts.flushed;
    return { root, records: root.openDB<Buffer, RecordKey>({ name: 'records', encoding: 'binary' }), epoch, headId };
  } catch (error) {
    await root.close();
    throw error;
  }
}

function expectRoom(path: string, bytes: number): void {
  const freeBytes = freeBytesIn(dirname(path));
  if (freeBytes >= bytes) return;
  throw diskFull(
    { path, bytes },
    { why: `${formatBytes(bytes)} are needed there, and ${formatBytes(freeBytes)} are free` },
  );
}

function readFact(facts: Database<Buffer, string>, name: string): unknown {
  const value = facts.get(name);
  return value === undefined ? undefined : unseal(value);
}

function grouped(records: readonly JournalRecord[]): Map<TaskId, JournalRecord[]> {
  const groups = new Map<TaskId, JournalRecord[]>();
  for (const record of records) {
    const group = groups.get(record.task);
    if (group === undefined) groups.set(record.task, [record]);
    else group.push(record);
  }
  return groups;
}

const otherFormat = (path: string, format: unknown): MusterError =>
  new MusterError('STATE_CORRUPT', `${path} was written by another version of Muster`, {
    why: `its format is ${String(format)}, this program reads ${FORMAT_VERSION}`,
    fix: 'start the version that wrote it, or start this one with --state on a new directory',
  });

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error('the write failed', { cause: error });

function corrupt(path: string, error: unknown): unknown {
  if (isMusterError(error) || ['EACCES', 'EPERM', 'ENOSPC'].includes(systemCodeOf(error))) return error;
  return new MusterError('STATE_CORRUPT', `${path} cannot be read`, {
    why: error instanceof Error ? error.message : String(error),
    fix: 'restore the state directory from a backup, or move it away and start anew: open tasks are then submitted again by their clients',
    cause: error,
  });
}
