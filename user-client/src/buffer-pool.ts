import { Limiter } from '@muster/shared';

/** Bytes that may be lent at once: four of the largest blocks, or many small ones. */
const LENT_BYTES_MAX = 64 * 2 ** 20;

/**
 * Buffers that are reused: touching fresh memory costs 0.4 ms per MB, more than packing a block into it. A lent buffer belongs to the
 * borrower until `giveBack`; one that ZeroMQ may still hold is given up by `forget` instead.
 */
export class BufferPool {
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  readonly #room = new Limiter(LENT_BYTES_MAX);

  /** Waits while too much is lent. The returned view is exactly `bytes` long, at the start of its allocation. */
  async lend(bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    await this.#room.enter(bytes);
    return this.#take(bytes);
  }

  giveBack(lent: Uint8Array<ArrayBuffer>): void {
    this.#free.push(new Uint8Array(lent.buffer));
    this.#room.leave(lent.byteLength);
  }

  forget(lent: Uint8Array<ArrayBuffer>): void {
    this.#room.leave(lent.byteLength);
  }

  #take(bytes: number): Uint8Array<ArrayBuffer> {
    const found = this.#free.findIndex((buffer) => buffer.byteLength >= bytes);
    if (found >= 0) return new Uint8Array((this.#free.splice(found, 1)[0] as Uint8Array<ArrayBuffer>).buffer, 0, bytes);
    // All free buffers are too small: drop one to make room.
    this.#free.pop();
    return new Uint8Array(bytes);
  }
}
