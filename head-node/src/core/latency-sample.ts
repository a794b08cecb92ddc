/** Quantiles of a stream from its last 2048 values: bounded memory, exact for small tasks. */
const CAPACITY = 2048;

export class LatencySample {
  readonly #values: number[] = [];
  #seen = 0;

  add(value: number): void {
    this.#values[this.#seen % CAPACITY] = value;
    this.#seen += 1;
  }

  /** The q-quantile (nearest rank), 0 when nothing was seen. */
  quantile(q: number): number {
    const sorted = this.#values.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
  }
}
