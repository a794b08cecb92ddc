/** Leases that are over. A broker may bring a copy of one later: it is known by its number, and not worked on again. */
export class RecentLeases {
  readonly #max: number;
  readonly #leases = new Set<number>();

  constructor(max: number) {
    this.#max = max;
  }

  add(lease: number): void {
    this.#leases.add(lease);
    if (this.#leases.size <= this.#max) return;
    const [oldest] = this.#leases;
    if (oldest !== undefined) this.#leases.delete(oldest);
  }

  has(lease: number): boolean {
    return this.#leases.has(lease);
  }
}
