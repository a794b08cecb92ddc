/** A network of two dense layers with ReLU between them and cross-entropy, by plain loops in double precision. */
import { parameters, type Model } from '@muster/shared';

export interface ReferenceSums {
  loss: number;
  correct: number;
  /** In the order of the flat vector. */
  readonly gradient: Float64Array;
}

export interface ReferenceSample {
  readonly x: readonly number[];
  readonly label: number;
}

/** Sums over the samples. */
export function referenceSums(
  model: Model,
  weights: ArrayLike<number>,
  samples: readonly ReferenceSample[],
): ReferenceSums {
  const [w1, b1, w2, b2] = parameters(model).map(({ offset, shape }) => ({ offset, width: shape.at(-1)! }));
  const gradient = new Float64Array(weights.length);
  const sums: ReferenceSums = { loss: 0, correct: 0, gradient };
  const at = (offset: number): number => weights[offset]!;
  for (const { x, label } of samples) {
    const hidden = affine(x, { at, weight: w1!, bias: b1! });
    const active = hidden.map((value) => Math.max(0, value));
    const output = affine(active, { at, weight: w2!, bias: b2! });
    const largest = Math.max(...output);
    const total = output.reduce((sum, value) => sum + Math.exp(value - largest), 0);
    const delta = output.map((value, k) => Math.exp(value - largest) / total - (k === label ? 1 : 0));
    sums.loss += Math.log(total) - (output[label]! - largest);
    sums.correct += output.indexOf(largest) === label ? 1 : 0;
    addOuter(gradient, { offset: w2!.offset, x: active, delta });
    delta.forEach((value, k) => (gradient[b2!.offset + k]! += value));
    const back = hidden.map((value, h) =>
      value > 0 ? delta.reduce((sum, d, k) => sum + d * at(w2!.offset + h * w2!.width + k), 0) : 0,
    );
    addOuter(gradient, { offset: w1!.offset, x, delta: back });
    back.forEach((value, h) => (gradient[b1!.offset + h]! += value));
  }
  return sums;
}

interface Affine {
  readonly at: (offset: number) => number;
  readonly weight: { readonly offset: number; readonly width: number };
  readonly bias: { readonly offset: number };
}

const affine = (x: readonly number[], { at, weight, bias }: Affine): number[] =>
  Array.from({ length: weight.width }, (_, k) =>
    x.reduce((sum, value, i) => sum + value * at(weight.offset + i * weight.width + k), at(bias.offset + k)),
  );

function addOuter(
  gradient: Float64Array,
  { offset, x, delta }: { offset: number; x: readonly number[]; delta: readonly number[] },
): void {
  x.forEach((value, i) => delta.forEach((d, k) => (gradient[offset + i * delta.length + k]! += value * d)));
}
