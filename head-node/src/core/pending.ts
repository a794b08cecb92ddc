/**
 * The subtasks of one task that may be leased now. Each waits in the queue of the node that it was cut for (its home); a node that has
 * emptied its own queue takes from the longest other one, so that slow nodes never hold the task up. Subtasks without a home are kept as
 * ranges: a task with ten million of them costs no memory here.
 */
export class PendingSubtasks {
  readonly #homes: number[][];
  /** Given back by a node that failed or left: first in line for every node. */
  readonly #returned: number[] = [];
  /** Ranges [from, to) of subtasks without a home, in descending order: the lowest is taken from the end. */
  readonly #unowned: [number, number][];
  #size = 0;

  /** `homes` queues, and ascending ranges [from, to) of subtasks without a home. */
  constructor(homes: number, unowned: Iterable<readonly [number, number]>) {
    this.#homes = Array.from({ length: homes }, () => []);
    this.#unowned = Array.from(unowned, ([from, to]): [number, number] => [from, to]).toReversed();
    for (const [from, to] of this.#unowned) this.#size += to - from;
  }

  /** Number of queues. */
  get homes(): number {
    return this.#homes.length;
  }

  get size(): number {
    return this.#size;
  }

  add(home: number, index: number): void {
    (this.#homes[home] ?? this.#returned).push(index);
    this.#size += 1;
  }

  /** Back to the front of the line. */
  giveBack(index: number): void {
    this.#returned.push(index);
    this.#size += 1;
  }

  /** Takes one subtask out of its queue: it is leased or being checked already. */
  discard(index: number): void {
    if (!this.#discardQueued(index)) this.#discardUnowned(index);
  }

  #discardQueued(index: number): boolean {
    for (const queue of [this.#returned, ...this.#homes]) {
      const at = queue.indexOf(index);
      if (at < 0) continue;
      queue.splice(at, 1);
      this.#size -= 1;
      return true;
    }
    return false;
  }

  #discardUnowned(index: number): void {
    const at = this.#unowned.findIndex(([from, to]) => from <= index && index < to);
    const range = this.#unowned[at];
    if (range === undefined) return;
    const halves: [number, number][] = [
      [index + 1, range[1]],
      [range[0], index],
    ];
    this.#unowned.splice(at, 1, ...halves.filter(([from, to]) => from < to));
    this.#size -= 1;
  }

  /** Up to `count` subtasks: returned ones, then unowned ones, then from the queues of `homes` in their order. */
  take(homes: readonly number[], count: number, allowed: (index: number) => boolean): number[] {
    const taken: number[] = [];
    drain({ queue: this.#returned, into: taken, count }, allowed);
    this.#takeUnowned(taken, count);
    for (const home of homes) drain({ queue: this.#homes[home] ?? [], into: taken, count }, allowed);
    this.#size -= taken.length;
    return taken;
  }

  /** As `take`, but of the returned subtasks only. */
  takeReturned(count: number, allowed: (index: number) => boolean): number[] {
    const taken: number[] = [];
    drain({ queue: this.#returned, into: taken, count }, allowed);
    this.#size -= taken.length;
    return taken;
  }

  /** For an idle node: one subtask from the tail of the longest queue, which its owner would have reached last. */
  steal(allowed: (index: number) => boolean): number[] {
    const taken: number[] = [];
    const longest = this.#homes.reduce<number[]>((most, queue) => (queue.length > most.length ? queue : most), []);
    drain({ queue: longest, into: taken, count: 1, fromTail: true }, allowed);
    this.#size -= taken.length;
    return taken;
  }

  #takeUnowned(taken: number[], count: number): void {
    for (let range = this.#unowned.at(-1); range !== undefined && taken.length < count; range = this.#unowned.at(-1)) {
      while (taken.length < count && range[0] < range[1]) taken.push(range[0]++);
      if (range[0] < range[1]) return;
      this.#unowned.pop();
    }
  }
}

interface Draining {
  readonly queue: number[];
  readonly into: number[];
  readonly count: number;
  /** For `steal`: from the tail, which the owner reaches last. */
  readonly fromTail?: boolean;
}

/** Moves up to `count` allowed indices from `queue` to `into`; the others keep their places. */
function drain({ queue, into, count, fromTail = false }: Draining, allowed: (index: number) => boolean): void {
  const step = fromTail ? -1 : 0;
  for (let at = fromTail ? queue.length - 1 : 0; at >= 0 && at < queue.length && into.length < count;) {
    const index = queue[at] ?? 0;
    if (!allowed(index)) at += fromTail ? -1 : 1;
    else {
      into.push(index);
      queue.splice(at, 1);
      at += step;
    }
  }
}
