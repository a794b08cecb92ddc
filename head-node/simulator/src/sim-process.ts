/** A running program: its timers and incoming messages end with it, and wait while it is frozen (SIGSTOP, a sleeping laptop). */
import type { Timeline } from './timeline.ts';

export class SimProcess {
  readonly #timeline: Timeline;
  readonly #waiting: (() => void)[] = [];
  #state: 'running' | 'frozen' | 'dead' = 'running';

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  get isFrozen(): boolean {
    return this.#state === 'frozen';
  }

  /** Runs it now, after the thaw if frozen, or never if dead. */
  hear(run: () => void): void {
    if (this.#state === 'running') run();
    else if (this.#state === 'frozen') this.#waiting.push(run);
  }

  after(ms: number, run: () => void): void {
    this.#timeline.after(ms, () => this.hear(run));
  }

  /** Ticks missed while frozen count as one, as with real timers. */
  every(ms: number, run: () => void): void {
    this.after(ms, () => {
      run();
      this.every(ms, run);
    });
  }

  freeze(): void {
    if (this.#state === 'running') this.#state = 'frozen';
  }

  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'running';
    for (const run of this.#waiting.splice(0)) this.hear(run);
  }

  kill(): void {
    this.#state = 'dead';
    this.#waiting.length = 0;
  }
}
