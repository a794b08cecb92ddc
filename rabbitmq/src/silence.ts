/** Looks in the time after which silence is reported. */
const LOOKS = 5;

export const SILENCE_MS = 5000;

export interface Traffic {
  /** Messages can go out, and some are not confirmed. */
  readonly waits: boolean;
  /** Answers of the broker so far. */
  readonly answers: number;
}

/**
 * Notices a broker that is connected and confirms nothing: it hangs, or its queues have no majority. Looks are counted and not time, so
 * that a program that was itself stopped for a minute does not blame the broker.
 */
export class Silence {
  /** From one look to the next. */
  readonly lookMs: number;
  readonly #traffic: () => Traffic;
  #looks = 0;
  #answers = 0;

  constructor(maxMs: number, traffic: () => Traffic) {
    this.lookMs = maxMs / LOOKS;
    this.#traffic = traffic;
  }

  look(): void {
    const { waits, answers } = this.#traffic();
    this.#looks = waits && answers === this.#answers ? this.#looks + 1 : 0;
    this.#answers = answers;
  }

  /** For people; undefined when there is none to report. It ends with the first answer. */
  get reason(): string | undefined {
    const { waits, answers } = this.#traffic();
    // What waits at the first look may have come just before it.
    if (!waits || answers !== this.#answers || this.#looks <= LOOKS) return undefined;
    return `no confirmation for ${Number(((this.#looks - 1) * (this.lookMs / 1000)).toFixed(1))} s`;
  }
}
