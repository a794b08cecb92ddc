const MINUTE_MS = 60_000;
/** More sources than this in a minute share one count. */
const SOURCES_MAX = 1000;

/** Lets through `perMinute` refusals of each source, and counts the rest. */
export class RefusalThrottle {
  readonly #perMinute: number;
  readonly #counts = new Map<string, number>();
  #sinceMs = 0;
  #suppressed = 0;

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Null: suppress this one. Otherwise the number that was suppressed since one was last let through. */
  allows(source: string, nowMs: number): number | null {
    if (nowMs - this.#sinceMs > MINUTE_MS) {
      this.#counts.clear();
      this.#sinceMs = nowMs;
    }
    const key = this.#counts.has(source) || this.#counts.size < SOURCES_MAX ? source : '';
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count > this.#perMinute) {
      this.#suppressed += 1;
      return null;
    }
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }
}
