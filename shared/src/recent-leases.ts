/** Ten seconds of leases of the fastest echo. */
const REMEMBERED = 20_000;

/**
 * The numbers of the last 20,000 to 40,000 finished leases: a broker may deliver a copy of one, or of its result, later. Kept in two
 * generations, the older dropped as a whole: finding the oldest entry of a single Set is slow, because a Set keeps the slots of deleted
 * entries.
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
