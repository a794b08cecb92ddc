/** Virtual time: callbacks run by their time, and in the order of scheduling where times are equal. Nothing here ever waits. */
interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

const isBefore = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

export class Timeline {
  nowMs = 0;
  readonly #heap: Entry[] = [];
  #scheduled = 0;

  after(ms: number, run: () => void): void {
    this.#push({ atMs: this.nowMs + Math.max(0, ms), order: (this.#scheduled += 1), run });
  }

  /** Runs the next callback; false when none is left. */
  step(): boolean {
    const next = this.#pop();
    if (next === undefined) return false;
    this.nowMs = next.atMs;
    next.run();
    return true;
  }

  #push(entry: Entry): void {
    let at = this.#heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, this.#at(parent))) break;
      this.#heap[at] = this.#at(parent);
      at = parent;
    }
    this.#heap[at] = entry;
  }

  #pop(): Entry | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || this.#heap.length === 0) return first;
    let at = 0;
    for (let child = this.#earlierChild(at); child !== null && isBefore(this.#at(child), last);) {
      this.#heap[at] = this.#at(child);
      at = child;
      child = this.#earlierChild(at);
    }
    this.#heap[at] = last;
    return first;
  }

  #earlierChild(of: number): number | null {
    const [left, right] = [2 * of + 1, 2 * of + 2];
    if (left >= this.#heap.length) return null;
    return right < this.#heap.length && isBefore(this.#at(right), this.#at(left)) ? right : left;
  }

  #at(index: number): Entry {
    return this.#heap[index] as Entry;
  }
}
