/**
 * Lets in at most `capacity` units at a time, first come, first served. One that is larger than the whole capacity enters
 * alone.
 */
export class Limiter {
  readonly #capacity: number;
  #used = 0;
  readonly #waiting: { readonly units: number; readonly enter: () => void }[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  enter(units = 1): Promise<void> {
    if (this.#waiting.length === 0 && this.#fits(units)) {
      this.#used += units;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#waiting.push({ units, enter: resolve });
    });
  }

  leave(units = 1): void {
    this.#used -= units;
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.units); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#used += next.units;
      next.enter();
    }
  }

  #fits(units: number): boolean {
    return this.#used === 0 || this.#used + units <= this.#capacity;
  }
}
