import { seededRandom, type Random } from '@muster/shared';

/** Random choices. Each part of a simulation has its own generator, so that one more draw in one part does not change the others. */
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

  /** Time to the next event of a Poisson process with one event per `everyMs` on average. */
  interval(everyMs: number): number {
    return -Math.log(1 - this.unit()) * everyMs;
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.whole(0, 15).toString(16)).join('');
  }
}

const FNV_OFFSET = 0x811c9dc5;
/** Looked up once: access to a global is slow in the realm of a test. */
const { imul } = Math;

/** 32-bit FNV-1a of the characters, continuing from an earlier hash. */
export function fnv1a(text: string, from = FNV_OFFSET): number {
  let hash = from;
  for (let at = 0; at < text.length; at += 1) hash = imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
