/** A copy of a lease in the provider's queue at the broker. */
export interface LeaseCopy {
  ack(): void;
}

/**
 * Which leases the broker still keeps a copy of. A copy is acknowledged when the lease's result is with the broker, or the lease is over:
 * until then the broker delivers it again to a provider that was started anew.
 */
export class LeaseCopies {
  readonly #copies = new Map<number, LeaseCopy>();
  /** Leases whose result is with the broker. */
  readonly #delivered = new Set<number>();

  /** `isHeld`: the provider works on the lease, or has its result. An earlier copy of it is acknowledged. */
  add(lease: number, copy: LeaseCopy, isHeld: boolean): void {
    this.#acknowledge(lease);
    if (isHeld && !this.#delivered.has(lease)) this.#copies.set(lease, copy);
    else copy.ack();
  }

  hasResult(lease: number): boolean {
    return this.#delivered.has(lease);
  }

  /** The broker has confirmed the result. */
  delivered(lease: number): void {
    this.#delivered.add(lease);
    this.#acknowledge(lease);
  }

  /** The lease is settled, revoked or failed. */
  release(lease: number): void {
    this.#acknowledge(lease);
    this.#delivered.delete(lease);
  }

  #acknowledge(lease: number): void {
    this.#copies.get(lease)?.ack();
    this.#copies.delete(lease);
  }
}
