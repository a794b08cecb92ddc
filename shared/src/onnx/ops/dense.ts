import type { Pullback, Tape, Value } from '../tape.ts';

export interface AffineWeights {
  readonly weight: Value;
  readonly bias: Value | undefined;
}

/** y (N x units) = x (N x features) * weight (features x units) + bias. */
export function dense(tape: Tape, x: Value, { weight, bias }: AffineWeights): Value {
  const { graph } = tape;
  const [, units = 0] = weight.shape;
  return tape.record(
    graph.add('Gemm', [x.name, weight.name, ...nameOf(bias)]),
    [units],
    [
      { input: x, gradient: (dy) => graph.add('Gemm', [dy, weight.name], { int: { transB: 1 } }) },
      { input: weight, gradient: (dy) => graph.add('Gemm', [x.name, dy], { int: { transA: 1 } }) },
      ...biasPullback(tape, bias, [0]),
    ],
  );
}

/** Empty without a bias: an optional input at the end of a node is left out. */
export const nameOf = (bias: Value | undefined): string[] => (bias === undefined ? [] : [bias.name]);

/** The gradient of a bias that is broadcast along `axes` is the sum of dy over them. */
export function biasPullback({ graph }: Tape, bias: Value | undefined, axes: readonly number[]): Pullback[] {
  if (bias === undefined) return [];
  const gradient = (dy: string): string =>
    graph.add('ReduceSum', [dy, graph.integers(...axes)], { int: { keepdims: 0 } });
  return [{ input: bias, gradient }];
}
