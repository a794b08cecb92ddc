import { copyFileSync, existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import type { Clock, Model } from '@muster/shared';
import { readCheckpoint, writeCheckpoint, type RunCheckpoint } from './run-checkpoint.ts';

/** Shorter epochs end without a checkpoint: writing through to the disk takes 10 ms or more, and must not take most of the time. */
const EPOCH_MS_MIN = 250;
/** The time from one checkpoint to the next is at least this many times what writing one takes. */
const TIMES_WRITING = 10;

/**
 * The checkpoint file of a run, and when the next one is due. The loss at a checkpoint's weights is known a round later. Until then the
 * checkpoint before it is kept, and a run that diverges goes back to that: weights may be finite where their loss is not.
 */
export class RunCheckpoints {
  readonly path: string;
  /** The newest checkpoint that is known to be good; there is such a file only while a newer one is not. */
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

  /** As in reports: the checkpoint that a restart would begin with. */
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

  /** Throws when it cannot be written, say for lack of space; the next attempt is when the next checkpoint is due. */
  write(model: Model, content: RunCheckpoint): void {
    this.#triedAtMs = this.#clock.nowMs();
    if (this.#isGood && this.#bytes > 0) keepAs(this.#goodPath, this.path);
    this.#isGood = false;
    this.found(content.checkpoint.step, writeCheckpoint(this.path, model, content));
    this.#tookMs = this.#clock.nowMs() - this.#triedAtMs;
  }

  /** To be called when the loss at the newest checkpoint's weights is finite. */
  good(): void {
    if (this.#isGood) return;
    rmSync(this.#goodPath, { force: true });
    this.#isGood = true;
  }

  /** Goes back to the checkpoint that was kept as good; the newest stays where there is none. */
  goBack(model: Model): void {
    if (!existsSync(this.#goodPath)) return;
    renameSync(this.#goodPath, this.path);
    this.#isGood = true;
    const { checkpoint, bytes = 0 } = readCheckpoint(this.path, model) ?? {};
    this.found(checkpoint?.step ?? 0, bytes);
  }
}

/** As a hard link; as a copy where the file system has no links. */
function keepAs(name: string, path: string): void {
  rmSync(name, { force: true });
  try {
    linkSync(path, name);
  } catch {
    copyFileSync(path, name);
  }
}
