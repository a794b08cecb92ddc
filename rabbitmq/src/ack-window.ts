/** Acknowledgements to send: all tags up to `upTo` at once, and single tags behind a gap. */
export interface Acks {
  readonly upTo: number | undefined;
  readonly singles: readonly number[];
}

/** Delivery tags of one consumer's channel. Pure: merges single acknowledgements into few. */
export class AckWindow {
  /** By ascending tag. A rejected delivery is settled individually and leaves at once. */
  readonly #open = new Map<number, 'held' | 'acked'>();

  get size(): number {
    return this.#open.size;
  }

  delivered(tag: number): void {
    this.#open.set(tag, 'held');
  }

  /** False when it was settled before. */
  ack(tag: number): boolean {
    if (this.#open.get(tag) !== 'held') return false;
    this.#open.set(tag, 'acked');
    return true;
  }

  /** False when it was settled before. */
  reject(tag: number): boolean {
    return this.#open.get(tag) === 'held' && this.#open.delete(tag);
  }

  /** `upTo` is always a tag that the broker holds as unacknowledged: for any other it would close the channel. */
  take(): Acks {
    const acked: number[] = [];
    let contiguous = 0;
    let gap = false;
    for (const [tag, state] of this.#open) {
      gap ||= state === 'held';
      if (state === 'held') continue;
      acked.push(tag);
      if (!gap) contiguous += 1;
    }
    for (const tag of acked) this.#open.delete(tag);
    return { upTo: acked[contiguous - 1], singles: acked.slice(contiguous) };
  }
}
