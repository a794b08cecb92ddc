/** The events of a run in order: a hash over all of them, the last ones as text. */
import { fnv1a } from './draw.ts';
import type { Timeline } from './timeline.ts';

const REMEMBERED = 30;

export class Chronicle {
  /** Prints every event; null: none is printed. */
  readonly #print: ((line: string) => void) | null;
  readonly #timeline: Timeline;
  readonly #last: string[] = [];
  #hash = fnv1a('');
  /** Number of events handled by a core, noted or not. */
  events = 0;

  constructor(timeline: Timeline, print: ((line: string) => void) | null) {
    this.#timeline = timeline;
    this.#print = print;
  }

  note(who: string, what: string): void {
    const line = `${(this.#timeline.nowMs / 1000).toFixed(4).padStart(9)} s  ${who.padEnd(7)} ${what}`;
    this.#hash = fnv1a(line, this.#hash);
    this.#last[this.#last.length < REMEMBERED ? this.#last.length : this.#rotate()] = line;
    this.#print?.(line);
  }

  /** Equal for equal histories. */
  get hash(): string {
    return this.#hash.toString(16).padStart(8, '0');
  }

  get last(): readonly string[] {
    return this.#last;
  }

  #rotate(): number {
    this.#last.shift();
    return this.#last.length;
  }
}
