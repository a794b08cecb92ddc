/** Stands in for a native backend: products by plain loops in double precision. */
import { elementsOf, productDtype, zeros, type Elements, type OperandDtype } from '@muster/shared';
import type { Multiplier, Panel, ResidentPanel } from '../../src/compute/backends/backend.ts';
import type { Multipliers } from '../../src/compute/backends/device.ts';

export class LoopMultiplier implements Multiplier {
  readonly dtype: OperandDtype;
  readonly keepAtUse: number;
  readonly log: string[] = [];
  /** Applied to every product; a defect of the device. */
  defect: (elements: Elements) => void = () => undefined;

  constructor(dtype: OperandDtype, keepAtUse = Number.POSITIVE_INFINITY) {
    this.dtype = dtype;
    this.keepAtUse = keepAtUse;
  }

  adopt(side: 'a' | 'b', bytes: Uint8Array): void {
    this.log.push(`adopt ${side} ${bytes.length}`);
  }

  async multiply(a: Panel, b: Panel): Promise<Elements> {
    this.log.push(`multiply ${a.rows} ${a.columns} ${b.columns}`);
    return this.#product(a, b);
  }

  async keep(b: Panel): Promise<ResidentPanel> {
    this.log.push(`keep ${b.rows} ${b.columns}`);
    const own = { ...b, bytes: b.bytes.slice() };
    return {
      multiply: async (a) => {
        this.log.push('resident');
        return this.#product(a, own);
      },
      release: () => void this.log.push('release'),
    };
  }

  #product(a: Panel, b: Panel): Elements {
    const product = naiveProduct(this.dtype, { a: a.bytes, b: b.bytes }, [a.rows, a.columns, b.columns]);
    this.defect(product);
    return product;
  }
}

export function naiveProduct(
  dtype: OperandDtype,
  operands: { readonly a: Uint8Array; readonly b: Uint8Array },
  [m, k, n]: readonly [number, number, number],
): Elements {
  const [a, b] = [elementsOf(dtype, operands.a), elementsOf(dtype, operands.b)];
  const c = zeros(productDtype(dtype), m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[i * k + p]! * b[p * n + j]!;
      c[i * n + j] = sum;
    }
  }
  return c;
}

export const loopMultipliers = (keepAtUse?: number): Multipliers & Record<OperandDtype, LoopMultiplier> => ({
  float32: new LoopMultiplier('float32', keepAtUse),
  float64: new LoopMultiplier('float64', keepAtUse),
  int8: new LoopMultiplier('int8', keepAtUse),
});
