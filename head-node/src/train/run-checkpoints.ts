import { copyFileSync, existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import type { Clock, Model } from '@muster/shared';
import { readCheckpoint, writeCheckpoint, type RunCheckpoint } from './run-checkpoint.ts';

/** Epochs that are shorter do without: to write through to the disk takes 10 ms and more, and may not be most of the time. */
const EPOCH_MS_MIN = 250;
/** From one to the next it takes this many times what it takes to write one. */
const TIMES_WRITING = 10;

/**
 * The checkpoint file of a run, and when it is time for the next. The loss at the weights of a checkpoint is known a round later. Until then
 * the one before stays beside it, and a run that diverges goes back to that: weights may be numbers and lead to none.
 */
export class RunCheckpoints {
  readonly path: string;
  /** The newest one that is known to be good, as long as that is not the newest of all. */
  readonly #goodPath: string;
  readonly #everyMs: number;
  readonly #clock: Clock;
  #step = 0;
  #bytes = 0;
  #isGood = true;
  #triedAtMs: number;
  #tookMs = 0;

  constructor(path: string, everyMs: number, clock: Clock) {
    this.path = path;
    this.#goodPath = `${path}.good`;
    this.#isGood = !existsSync(this.#goodPath);
    this.#everyMs = everyMs;
    this.#clock = clock;
    this.#triedAtMs = clock.nowMs();
  }

  /** As reports have it: what a restart would begin with. */
  get latest(): { checkpointStep: number; checkpointBytes: number } {
    return { checkpointStep: this.#step, checkpointBytes: this.#bytes };
  }

  isDue(epochIsOver: boolean): boolean {
    const afterMs = epochIsOver ? Math.min(EPOCH_MS_MIN, this.#everyMs) : this.#everyMs;
    const restMs = this.#everyMs === 0 ? 0 : TIMES_WRITING * this.#tookMs;
    return this.#clock.nowMs() - this.#triedAtMs >= Math.max(afterMs, restMs);
  }

  found(step: number, bytes: number): void {
    this.#step = step;
    this.#bytes = bytes;
  }

  /** One that fails, say for want of room, is tried again when the next is due. */
  write(model: Model, content: RunCheckpoint): void {
    this.#triedAtMs = this.#clock.nowMs();
    if (this.#isGood && this.#bytes > 0) keepAs(this.#goodPath, this.path);
    this.#isGood = false;
    this.found(content.checkpoint.step, writeCheckpoint(this.path, model, content));
    this.#tookMs = this.#clock.nowMs() - this.#triedAtMs;
  }

  /** The loss at the newest is a number. */
  good(): void {
    if (this.#isGood) return;
    rmSync(this.#goodPath, { force: true });
    this.#isGood = true;
  }

  /** To the newest that is known to be good; stays at the newest of all where none is. */
  goBack(model: Model): void {
    if (!existsSync(this.#goodPath)) return;
    renameSync(this.#goodPath, this.path);
    this.#isGood = true;
    const { checkpoint, bytes = 0 } = readCheckpoint(this.path, model) ?? {};
    this.found(checkpoint?.step ?? 0, bytes);
  }
}

/** A second name, where the file system has such a thing. */
function keepAs(name: string, path: string): void {
  rmSync(name, { force: true });
  try {
    linkSync(path, name);
  } catch {
    copyFileSync(path, name);
  }
}
