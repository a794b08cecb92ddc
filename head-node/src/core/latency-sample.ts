/** Quantiles of a stream from its last 2048 values: bounded memory, exact for small tasks. */
const CAPACITY = 2048;

export class LatencySample {
  readonly #values = new Float64Array(CAPACITY);
  #seen = 0;
  /** Ascending; null when values were added since. Cached, because every status asks for several quantiles. */
  #sorted: Float64Array | null = null;

  add(value: number): void {
    this.#values[this.#seen % CAPACITY] = value;
    this.#seen += 1;
    this.#sorted = null;
  }

  /** The q-quantile (nearest rank), 0 when nothing was seen. */
  quantile(q: number): number {
    this.#sorted ??= this.#values.slice(0, Math.min(this.#seen, CAPACITY)).toSorted();
    return this.#sorted[Math.min(this.#sorted.length - 1, Math.floor(q * this.#sorted.length))] ?? 0;
  }
}
