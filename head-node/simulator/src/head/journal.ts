/** The head's journal on a disk that syncs when it likes, may be full, and keeps at a crash what it had synced. */
import type { TaskId } from '@muster/shared';
import { historyOf, type JournalRecord, type TaskHistory } from '@muster/head-node/core';
import type { Draw } from '../draw.ts';
import type { SimProcess } from '../sim-process.ts';
import type { World } from '../world.ts';

/** As in head-node/src/io/journal.ts. */
const LINGER_MS = 10;

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
  /** The disk is full: nothing more can be promised. */
  readonly failed: () => void;
}

/** The journal of one life of the head. */
export class Journal {
  readonly #ports: JournalPorts;
  readonly #draw: Draw;
  #waiting: JournalRecord[] = [];
  #lingering = false;
  /** Written, not synced; the first is being synced. */
  readonly #batches: Batch[] = [];

  constructor(ports: JournalPorts) {
    this.#ports = ports;
    this.#draw = ports.world.draw.fork(`journal ${ports.disk.epoch}`);
  }

  append(record: JournalRecord): void {
    this.#waiting.push(record);
    if (this.#lingering) return;
    this.#lingering = true;
    this.#ports.process.after(LINGER_MS, () => this.#write());
  }

  /** Calls when everything appended so far is on disk. */
  durable(then: () => void): void {
    const { world, process } = this.#ports;
    this.#write();
    if (world.plant === 'ack-before-fsync') process.after(0, then);
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

  #write(): void {
    this.#lingering = false;
    if (this.#waiting.length === 0) return;
    this.#batches.push({ records: this.#waiting, synced: [] });
    this.#waiting = [];
    if (this.#batches.length === 1) this.#sync();
  }

  #sync(): void {
    const { world, disk, process } = this.#ports;
    world.timeline.after(this.#draw.between(0.2, disk.syncMs), () => {
      if (process.isDead) return;
      if (disk.full) process.hear(this.#ports.failed);
      else this.#synced();
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
