import type { Entry } from './outbox.ts';

export interface Confirm {
  readonly deliveryTag: number;
  readonly multiple: boolean;
}

/** Delivery tags of one channel. Pure. Confirms come grouped and in any order. */
export class ConfirmWindow {
  /** By ascending tag. */
  readonly #byTag = new Map<number, Entry>();
  readonly #byKey = new Map<string, Entry>();
  #lastTag = 0;

  sent(entry: Entry): void {
    this.#lastTag += 1;
    this.#byTag.set(this.#lastTag, entry);
    this.#byKey.set(entry.publication.key, entry);
  }

  /** A message published outside the outbox uses up a tag too. */
  skip(): void {
    this.#lastTag += 1;
  }

  /** A return precedes the confirm of the same message. False if it was withdrawn meanwhile: then its loss does not matter. */
  returned(key: string): boolean {
    const entry = this.#byKey.get(key);
    if (entry) entry.unrouted = true;
    return entry?.state !== 'gone';
  }

  settle({ deliveryTag, multiple }: Confirm): Entry[] {
    const settled: Entry[] = [];
    for (const tag of multiple ? this.#tagsUpTo(deliveryTag) : [deliveryTag]) {
      const entry = this.#byTag.get(tag);
      if (!entry) continue;
      this.#byTag.delete(tag);
      if (this.#byKey.get(entry.publication.key) === entry) this.#byKey.delete(entry.publication.key);
      settled.push(entry);
    }
    return settled;
  }

  #tagsUpTo(last: number): number[] {
    const tags: number[] = [];
    for (const tag of this.#byTag.keys()) {
      if (tag > last) break;
      tags.push(tag);
    }
    return tags;
  }
}
