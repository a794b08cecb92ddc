import { seededRandom, type Random } from '@muster/shared';

/** Random choices. Each part of a simulation has its own, so that one choice more in one part leaves the others as they were. */
export class Draw {
  readonly #seed: number;
  readonly #random: Random;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
  }

  fork(name: string): Draw {
    return new Draw(fnv1a(name, (this.#seed ^ FNV_OFFSET) >>> 0));
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.#random();
  }

  chance(probability: number): boolean {
    return probability > 0 && this.unit() < probability;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.unit();
  }

  /** Both ends included. */
  whole(low: number, high: number): number {
    return low + Math.floor((high - low + 1) * this.unit());
  }

  pick<T>(items: readonly T[]): T {
    return items[this.whole(0, items.length - 1)] as T;
  }

  /** Time to the next of events that come `everyMs` on average, independent of each other. */
  interval(everyMs: number): number {
    return -Math.log(1 - this.unit()) * everyMs;
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.whole(0, 15).toString(16)).join('');
  }
}

const FNV_OFFSET = 0x811c9dc5;
/** Taken once: a look-up of a global is slow in the realm of a test. */
const { imul } = Math;

/** 32-bit FNV-1a of the characters, from an earlier hash on. */
export function fnv1a(text: string, from = FNV_OFFSET): number {
  let hash = from;
  for (let at = 0; at < text.length; at += 1) hash = imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
