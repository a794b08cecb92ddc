import type { Tape, Value } from '../tape.ts';

const EPSILON = 1e-5;

export interface NormWeights {
  readonly scale: Value;
  readonly bias: Value;
}

/**
 * y = n * scale + bias, n = (x - mean) / sqrt(variance + 1e-5), over all values of a sample (Ba et al. 2016, arXiv 1607.06450). Composed of
 * basic operators, because the gradient needs n and the deviation, which LayerNormalization does not output on WebGPU.
 */
export function layerNorm(tape: Tape, x: Value, { scale, bias }: NormWeights): Value {
  const { graph } = tape;
  const mean = meanOverSample(tape, x);
  const centred = graph.add('Sub', [x.name, mean(x.name)]);
  const variance = mean(graph.add('Mul', [centred, centred]));
  const deviation = graph.add('Sqrt', [graph.add('Add', [variance, graph.scalar(EPSILON)])]);
  const n = graph.add('Div', [centred, deviation]);
  const overBatch = (value: string): string =>
    graph.add('ReduceSum', [value, graph.integers(0)], { int: { keepdims: 0 } });

  /** dx = (dn - mean(dn) - n * mean(dn * n)) / deviation */
  const inputGradient = (dy: string): string => {
    const dn = graph.add('Mul', [dy, scale.name]);
    const along = graph.add('Mul', [n, mean(graph.add('Mul', [dn, n]))]);
    const across = graph.add('Sub', [dn, mean(dn)]);
    return graph.add('Div', [graph.add('Sub', [across, along]), deviation]);
  };
  return tape.record(graph.add('Add', [graph.add('Mul', [n, scale.name]), bias.name]), x.shape, [
    { input: x, gradient: inputGradient },
    { input: scale, gradient: (dy) => overBatch(graph.add('Mul', [dy, n])) },
    { input: bias, gradient: overBatch },
  ]);
}

/** The mean of each sample, in a shape that broadcasts against the samples. */
function meanOverSample({ graph }: Tape, { shape }: Value): (value: string) => string {
  const axes = shape.map((_, index) => index + 1);
  return (value) => graph.add('ReduceMean', [value], { ints: { axes }, int: { keepdims: 1 } });
}
