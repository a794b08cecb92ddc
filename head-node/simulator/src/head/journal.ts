/**
 * The head's journal on a disk with random sync times, which may be full and after a crash holds what was synced. Mirrors
 * head-node/src/io/journal.ts.
 */
import type { TaskId } from '@muster/shared';
import { historyOf, type JournalRecord, type TaskHistory } from '@muster/head-node/core';
import type { Draw } from '../draw.ts';
import type { SimProcess } from '../sim-process.ts';
import type { World } from '../world.ts';

const LINGER_MS = 10;
const ROOM_CHECK_MS = 250;

/** What survives a crash. */
export class JournalDisk {
  readonly records = new Map<TaskId, JournalRecord[]>();
  /** Epoch in which the latest record of each task was written. */
  readonly #writtenIn = new Map<TaskId, number>();
  epoch = 0;
  full = false;
  /** Upper bound of the time of one sync. */
  syncMs = 2;

  commit(records: readonly JournalRecord[]): void {
    for (const record of records) {
      if (record.type === 'forgotten') this.records.delete(record.task);
      else this.records.set(record.task, [...(this.records.get(record.task) ?? []), record]);
      this.#writtenIn.set(record.task, this.epoch);
    }
  }

  /** Skips tasks without a first record: they were forgotten, and something was written late. */
  replay(): TaskHistory[] {
    return [...this.records.keys()].flatMap((task) => this.history(task) ?? []);
  }

  history(task: TaskId): TaskHistory | null {
    return historyOf(this.records.get(task) ?? [], this.#writtenIn.get(task) ?? 0);
  }
}

interface Batch {
  readonly records: readonly JournalRecord[];
  readonly synced: (() => void)[];
}

export interface JournalPorts {
  readonly world: World;
  readonly disk: JournalDisk;
  readonly process: SimProcess;
}

/** The journal of one life of the head. */
export class Journal {
  readonly #ports: JournalPorts;
  readonly #draw: Draw;
  readonly #waiting: JournalRecord[] = [];
  /** Called when everything in `#waiting` is written and synced. */
  readonly #onSynced: (() => void)[] = [];
  #looksAgain = false;
  /** Written but not synced; the first is being synced. */
  readonly #batches: Batch[] = [];

  constructor(ports: JournalPorts) {
    this.#ports = ports;
    this.#draw = ports.world.draw.fork(`journal ${ports.disk.epoch}`);
  }

  append(record: JournalRecord): void {
    this.#waiting.push(record);
    this.#lookAgain(LINGER_MS);
  }

  /** Everything is on disk. */
  get isQuiet(): boolean {
    return this.#waiting.length === 0 && this.#batches.length === 0;
  }

  /** Room for the records of one more task. */
  get hasRoom(): boolean {
    return !this.#ports.disk.full;
  }

  /** Calls `then` when everything appended so far is on disk, even if room must be made first. */
  durable(then: () => void): void {
    const { world, process } = this.#ports;
    this.#write();
    if (world.plant === 'ack-before-fsync') process.after(0, then);
    else if (this.#waiting.length > 0) this.#onSynced.push(then);
    else if (this.#batches.length > 0) this.#batches.at(-1)?.synced.push(then);
    else process.after(0, then);
  }

  /** Called when the process is gone: what was not synced is lost, or has reached the disk after all. */
  tear(): void {
    const { world, disk } = this.#ports;
    const written = this.#batches.flatMap(({ records }) => records);
    const whole = this.#draw.chance(0.5) ? (this.#batches[0]?.records.length ?? 0) : 0;
    const torn = written.length > 0 && world.faults.strikes('torn-write');
    const survivors = written.slice(0, torn ? this.#draw.whole(0, written.length) : whole);
    disk.commit(survivors);
    world.witness.synced(survivors);
  }

  #lookAgain(afterMs: number): void {
    if (this.#looksAgain) return;
    this.#looksAgain = true;
    this.#ports.process.after(afterMs, () => {
      this.#looksAgain = false;
      this.#write();
    });
  }

  #write(): void {
    if (this.#waiting.length === 0) return;
    if (!this.hasRoom) return this.#lookAgain(ROOM_CHECK_MS);
    this.#batches.push({ records: this.#waiting.splice(0), synced: this.#onSynced.splice(0) });
    if (this.#batches.length === 1) this.#sync();
  }

  /** A write that has begun completes even if the disk is full by now, because it had room. */
  #sync(): void {
    const { world, disk, process } = this.#ports;
    world.timeline.after(this.#draw.between(0.2, disk.syncMs), () => {
      if (!process.isDead) this.#synced();
    });
  }

  #synced(): void {
    const { world, disk, process } = this.#ports;
    const batch = this.#batches.shift();
    if (batch === undefined) return;
    disk.commit(batch.records);
    world.witness.synced(batch.records);
    for (const then of batch.synced) process.hear(then);
    if (this.#batches.length > 0) this.#sync();
  }
}
