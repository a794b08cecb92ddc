import type { Clock, Model } from '@muster/shared';
import { writeCheckpoint, type RunCheckpoint } from './run-checkpoint.ts';

/** Epochs that are shorter do without: to write through to the disk takes 10 ms and more, and may not be most of the time. */
const EPOCH_MS_MIN = 250;
/** From one to the next it takes this many times what it takes to write one. */
const TIMES_WRITING = 10;

/** The checkpoint file of a run, and when it is time for the next. */
export class RunCheckpoints {
  readonly path: string;
  readonly #everyMs: number;
  readonly #clock: Clock;
  #step = 0;
  #bytes = 0;
  #triedAtMs: number;
  #tookMs = 0;

  constructor(path: string, everyMs: number, clock: Clock) {
    this.path = path;
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
    this.found(content.checkpoint.step, writeCheckpoint(this.path, model, content));
    this.#tookMs = this.#clock.nowMs() - this.#triedAtMs;
  }
}
