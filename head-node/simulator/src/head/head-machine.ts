/** The machine of the head: its disk, and one life of the head after another. */
import type { TaskId } from '@muster/shared';
import { lostBetween, recordsOf, type TaskHistory } from '@muster/head-node/core';
import type { Broker } from '../broker/broker.ts';
import type { Draw } from '../draw.ts';
import type { World } from '../world.ts';
import { HeadFiles } from './head-files.ts';
import { HeadLife } from './head-life.ts';
import { JournalDisk } from './journal.ts';

/** Delay after which a supervisor starts it again. */
const RESTART_MS = { least: 200, most: 3000 };
/** It does not start while the disk is full. */
const RETRY_MS = 1000;
const MAY_HAVE_RESULTS: ReadonlySet<string> = new Set(['running', 'done']);

export class HeadMachine {
  readonly disk = new JournalDisk();
  readonly files = new HeadFiles();
  readonly #world: World;
  readonly #broker: Broker | null;
  readonly #draw: Draw;
  #life: HeadLife | null = null;

  constructor(world: World, broker: Broker | null) {
    this.#world = world;
    this.#broker = broker;
    this.#draw = world.draw.fork('head machine');
  }

  get life(): HeadLife | null {
    return this.#life;
  }

  get isDown(): boolean {
    return this.#life === null;
  }

  /** What arrives while the head is down is lost. */
  hear(run: (life: HeadLife) => void): void {
    const life = this.#life;
    life?.hear(() => run(life));
  }

  start(): void {
    const { timeline, chronicle, witness } = this.#world;
    if (this.disk.full) return timeline.after(RETRY_MS, () => this.start());
    this.disk.epoch += 1;
    this.files.open((task) => this.#isOpen(task));
    chronicle.note('head', `starts, epoch ${this.disk.epoch}`);
    const life = new HeadLife({
      world: this.#world,
      disk: this.disk,
      files: this.files,
      broker: this.#broker,
      fail: (reason) => this.crash(reason),
    });
    this.#life = life;
    witness.headStarts(life);
    if (!life.mirror.isOff) life.post({ type: 'backbone', state: 'connecting', congested: false });
    this.#restore(life);
    witness.headRestored(life);
    life.serve();
  }

  crash(reason: string): void {
    const life = this.#life;
    if (life === null) return;
    this.#world.chronicle.note('head', `crashes: ${reason}`);
    this.#life = null;
    life.process.kill();
    life.mirror.end();
    life.journal.tear();
    this.#world.witness.headCrashed();
    this.#loseFiles();
    for (const subscription of life.publisher.all()) subscription.closeFromHead();
    this.#world.timeline.after(this.#draw.between(RESTART_MS.least, RESTART_MS.most), () => this.start());
  }

  #isOpen(task: TaskId): boolean {
    const history = this.disk.history(task);
    return history !== null && history.ended === null;
  }

  #restore(life: HeadLife): void {
    for (const history of this.disk.replay()) {
      const found = history.ended === null ? this.#whatIsLeft(history) : history;
      const task = this.#world.scenario.tasks.find(({ id }) => id === history.record.task);
      if (history.ended === null) writeAgain(life, history, found);
      if (task !== undefined) life.post({ type: 'restored', history: found, taskType: task.type, user: null });
    }
    this.files.removeUnless((task) => MAY_HAVE_RESULTS.has(life.state.tasks.get(task)?.state ?? ''));
  }

  #whatIsLeft(history: TaskHistory): TaskHistory {
    const bound = history.bound.filter(({ id }) => this.files.blocks.has(id));
    return { ...history, bound, subtasks: history.subtasks.filter((subtask) => this.files.holds(subtask)) };
  }

  #loseFiles(): void {
    const { faults } = this.#world;
    if (faults.strikes('block-loss'))
      for (const id of this.files.blocks) if (this.#draw.chance(0.3)) this.files.blocks.delete(id);
    if (!faults.strikes('result-loss')) return;
    for (const { record, ended } of this.disk.replay())
      if (ended === null) this.files.lose(record.task, () => this.#draw.chance(0.3));
  }
}

/** As head-node.ts does: records are sent to the broker again, because a crash may have come between journal and broker. */
function writeAgain(life: HeadLife, history: TaskHistory, found: TaskHistory): void {
  const lost = lostBetween(history, found);
  for (const record of lost) life.write(record);
  if (history.record.durability === 'local') return;
  for (const record of [...recordsOf(found), ...lost]) life.mirror.record(record);
  if (found.bound.length > 0) life.mirror.open(history.record.task);
}
