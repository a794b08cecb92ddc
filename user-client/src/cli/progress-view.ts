import { isTerminal, systemClock, type TaskStatus } from '@muster/shared';
import { LossCurve } from './loss-curve.ts';
import { forecastLine, liveLines, plainLine, silenceLine, type Waiting } from './progress-lines.ts';
import type { Terminal } from './terminal.ts';
import { linkAdvice } from './training-lines.ts';

const REDRAW_MS = 100;
const PLAIN_LINE_MS = 1000;
const CURVE_CELLS = 24;

/**
 * Shows a task's progress on stderr: on a terminal a picture that is redrawn, else lines, at most one per second and one at each change
 * of state. What does not change (forecast, advice) is printed once.
 */
export class ProgressView {
  readonly #terminal: Terminal;
  readonly #silentMs: () => number;
  readonly #startMs = systemClock.nowMs();
  readonly #said = new Set<string>();
  readonly #curve = new LossCurve();
  readonly #ticker: NodeJS.Timeout;
  #latest: TaskStatus | null = null;
  #waiting: Waiting | null = null;
  /** Lines of the picture currently on the terminal. */
  #drawn = 0;
  #shownMs = -Infinity;
  #shownState = '';
  #shownLine = '';

  /** `silentMs` returns the time since the head was last heard. */
  constructor(terminal: Terminal, silentMs: () => number) {
    this.#terminal = terminal;
    this.#silentMs = silentMs;
    this.#ticker = setInterval(() => this.#show(), terminal.live ? REDRAW_MS : PLAIN_LINE_MS);
    this.#ticker.unref();
  }

  update(status: TaskStatus, waiting: Waiting | null): void {
    this.#latest = status;
    this.#waiting = waiting;
    this.#sayOnce(forecastLine(status));
    this.#sayOnce(status.advice === '' ? null : `advice: ${status.advice}`);
    this.#learn(status);
    if (!isTerminal(status.state)) this.#show();
  }

  #learn({ training }: TaskStatus): void {
    if (training === null) return;
    if (training.loss !== null) this.#curve.add(training.step, training.loss);
    this.#sayOnce(linkAdvice(training));
  }

  /** Stops redrawing and erases the picture. */
  stop(): void {
    clearInterval(this.#ticker);
    this.#erase();
    this.#latest = null;
  }

  #sayOnce(line: string | null): void {
    if (line === null || this.#said.has(line)) return;
    this.#said.add(line);
    this.#erase();
    this.#terminal.note(line);
  }

  #show(): void {
    if (this.#latest === null) return;
    const curve = this.#terminal.live ? this.#curve.sparkline(CURVE_CELLS) : '';
    const latest = this.#latest;
    const waiting = this.#waiting;
    const moment = { elapsedMs: systemClock.nowMs() - this.#startMs, waiting, silentMs: this.#silentMs(), curve };
    if (this.#terminal.live) this.#redraw(liveLines(latest, moment, this.#terminal));
    else this.#log(plainLine(latest, moment), `${latest.state} ${waiting?.ready ?? ''} ${silenceLine(moment) ?? ''}`);
  }

  #redraw(lines: readonly string[]): void {
    const nowMs = systemClock.nowMs();
    if (nowMs - this.#shownMs < REDRAW_MS && this.#drawn > 0) return;
    this.#shownMs = nowMs;
    this.#erase();
    this.#terminal.draw(`${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }

  /** Cursor up to the first line, then clear to the end of the screen. */
  #erase(): void {
    if (this.#drawn > 0) this.#terminal.draw(`\u001B[${this.#drawn}A\u001B[0J`);
    this.#drawn = 0;
  }

  #log(line: string, state: string): void {
    const nowMs = systemClock.nowMs();
    if (state === this.#shownState && (line === this.#shownLine || nowMs - this.#shownMs < PLAIN_LINE_MS)) return;
    [this.#shownMs, this.#shownState, this.#shownLine] = [nowMs, state, line];
    this.#terminal.note(line);
  }
}
