/** Ten seconds of the fastest echo. */
const REMEMBERED = 20_000;

/** Leases that are over. A broker may bring a copy of one, or of its result, later: it is known by its number. */
export class RecentLeases {
  readonly #leases = new Set<number>();

  add(lease: number): void {
    this.#leases.add(lease);
    if (this.#leases.size <= REMEMBERED) return;
    const [oldest] = this.#leases;
    if (oldest !== undefined) this.#leases.delete(oldest);
  }

  delete(lease: number): void {
    this.#leases.delete(lease);
  }

  has(lease: number): boolean {
    return this.#leases.has(lease);
  }
}
