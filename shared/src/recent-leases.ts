/** Ten seconds of the fastest echo. */
const REMEMBERED = 20_000;

/**
 * Leases that are over: the last 20,000 and some before them. A broker may bring a copy of one, or of its result, later: it is known by
 * its number. In two generations, of which the older is forgotten as a whole: to look for the oldest of one set takes long, because
 * a set keeps the places of what left it.
 */
export class RecentLeases {
  #young = new Set<number>();
  #old = new Set<number>();

  add(lease: number): void {
    this.#young.add(lease);
    if (this.#young.size < REMEMBERED) return;
    this.#old = this.#young;
    this.#young = new Set();
  }

  delete(lease: number): void {
    this.#young.delete(lease);
    this.#old.delete(lease);
  }

  has(lease: number): boolean {
    return this.#young.has(lease) || this.#old.has(lease);
  }
}
