/** Sums of products in float64, and as float32 gives them when it adds in order. */
import type { OperandDtype } from '@muster/shared';
import type { ExactElement } from './arithmetic.ts';

/** Devices add in one sum or in several; the drift is measured for one and for this many. */
const LANES = 4;

/** One row of A's element at `k` times the row of B that starts at `base`. */
interface Terms {
  readonly factor: number;
  readonly k: number;
  readonly b: ArrayLike<number>;
  readonly base: number;
  readonly columns: readonly number[];
}

export class Sums {
  readonly #narrow: boolean;
  readonly #unit: number;
  readonly #exact: Float64Array;
  readonly #magnitude: Float64Array;
  readonly #inOrder: Float32Array;
  readonly #lanes: readonly Float32Array[];

  constructor(dtype: OperandDtype, count: number) {
    this.#narrow = dtype === 'float32';
    this.#unit = this.#narrow ? 2 ** -24 : 2 ** -53;
    this.#exact = new Float64Array(count);
    this.#magnitude = new Float64Array(count);
    this.#inOrder = new Float32Array(this.#narrow ? count : 0);
    this.#lanes = Array.from({ length: LANES }, () => new Float32Array(this.#narrow ? count : 0));
  }

  add(first: number, { factor, k, b, base, columns }: Terms): void {
    const lane = this.#lanes[k % LANES] as Float32Array;
    for (let at = 0; at < columns.length; at++) {
      const sum = first + at;
      const product = factor * (b[base + (columns[at] as number)] as number);
      this.#exact[sum] = (this.#exact[sum] as number) + product;
      this.#magnitude[sum] = (this.#magnitude[sum] as number) + Math.abs(product);
      if (!this.#narrow) continue;
      this.#inOrder[sum] = (this.#inOrder[sum] as number) + product;
      lane[sum] = (lane[sum] as number) + product;
    }
  }

  element(at: number, depth: number): ExactElement {
    const exact = this.#exact[at] as number;
    const magnitude = this.#magnitude[at] as number;
    const seen = this.#narrow ? this.#drift(at, exact) : Infinity;
    return { exact, magnitude, drift: Number.isFinite(seen) ? seen : depth * this.#unit * magnitude };
  }

  /**
   * Not finite where a sum left the range. Then, and for float64, for which nothing here is more exact, `element` takes the bound that
   * holds for every order of additions (Higham, Accuracy and Stability, 3.5).
   */
  #drift(at: number, exact: number): number {
    const inLanes = this.#lanes.reduce((sum, lane) => Math.fround(sum + (lane[at] as number)), 0);
    return Math.max(Math.abs((this.#inOrder[at] as number) - exact), Math.abs(inLanes - exact));
  }
}
