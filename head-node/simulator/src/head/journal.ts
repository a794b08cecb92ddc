/** The head's journal on a disk that syncs when it likes, may be full, and keeps at a crash what it had synced. Mirrors head-node/src/io/journal.ts. */
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
  /** In which epoch the latest record of each task was written. */
  readonly #writtenIn = new Map<TaskId, number>();
  epoch = 0;
  full = false;
  /** Of one sync, at most. */
  syncMs = 2;

  commit(records: readonly JournalRecord[]): void {
    for (const record of records) {
      if (record.type === 'forgotten') this.records.delete(record.task);
      else this.records.set(record.task, [...(this.records.get(record.task) ?? []), record]);
      this.#writtenIn.set(record.task, this.epoch);
    }
  }

  /** Without its first record a task was forgotten, and something came late. */
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
  /** Called when what is waiting has been written and synced. */
  readonly #onSynced: (() => void)[] = [];
  #looksAgain = false;
  /** Written, not synced; the first is being synced. */
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

  /** Calls when everything appended so far is on disk, be it that room for it must be made first. */
  durable(then: () => void): void {
    const { world, process } = this.#ports;
    this.#write();
    if (world.plant === 'ack-before-fsync') process.after(0, then);
    else if (this.#waiting.length > 0) this.#onSynced.push(then);
    else if (this.#batches.length > 0) this.#batches.at(-1)?.synced.push(then);
    else process.after(0, then);
  }

  /** The process is gone: what was not synced is lost, or got there after all. */
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

  /** What is under way ends, also on a disk that is full by now: room for it was there. */
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
