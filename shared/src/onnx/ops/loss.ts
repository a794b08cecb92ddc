import type { Model } from '../../model/description.ts';
import type { GraphBuilder } from '../graph-builder.ts';
import type { Value } from '../tape.ts';
import { firstMaximum } from './first-maximum.ts';

/** The loss against the input `Y`, of the output's shape; values are of shape [1]. */
export interface Loss {
  /** Sum over the samples. */
  readonly loss: string;
  /** Number of samples where output and target have their maximum at the same place. */
  readonly correct: string;
  /** Gradient of `loss` by the output. */
  readonly gradient: () => string;
}

export const losses: Record<Model['loss'], (graph: GraphBuilder, output: Value) => Loss> = {
  crossEntropy,
  meanSquaredError,
};

const TARGET = 'Y';

/**
 * -sum(Y * log softmax(output)). Log-softmax is composed of basic operators because the operator falls back to the CPU on WebGPU. Through
 * sum(Y) in the gradient a sample whose targets are all 0 contributes nothing, so that a batch can be padded to a fixed size.
 */
function crossEntropy(graph: GraphBuilder, output: Value): Loss {
  const maximum = rowMaximum(graph, output.name);
  const shifted = graph.add('Sub', [output.name, maximum]);
  const exponentials = graph.add('Exp', [shifted]);
  const logSum = graph.add('Log', [rowSum(graph, exponentials)]);
  const perValue = graph.add('Mul', [TARGET, graph.add('Sub', [logSum, shifted])]);
  const gradient = (): string => {
    const softmax = graph.add('Div', [exponentials, rowSum(graph, exponentials)]);
    return graph.add('Sub', [graph.add('Mul', [softmax, rowSum(graph, TARGET)]), TARGET]);
  };
  return { loss: total(graph, perValue), correct: correctCount(graph, output, maximum), gradient };
}

/** Sum over the samples of the mean over the outputs of (output - Y)^2; `correct` is 0, as a regression has no right answers. */
function meanSquaredError(graph: GraphBuilder, { name, shape: [outputs = 1] }: Value): Loss {
  const difference = graph.add('Sub', [name, TARGET]);
  const share = graph.add('Mul', [difference, graph.scalar(1 / outputs)]);
  return {
    loss: total(graph, graph.add('Mul', [difference, share])),
    correct: graph.floats('nothing_correct', [1], [0]),
    gradient: () => graph.add('Mul', [difference, graph.scalar(2 / outputs)]),
  };
}

/**
 * Output and target are compared by their first maximum, as arg max does: if all outputs are equal, only a target at the first is right.
 */
function correctCount(graph: GraphBuilder, output: Value, maximum: string): string {
  const along = { axes: [1], dims: [1, ...output.shape] };
  const chosen = firstMaximum(graph, output.name, { ...along, maximum });
  const targetMaximum = rowMaximum(graph, TARGET);
  const target = firstMaximum(graph, TARGET, { ...along, maximum: targetMaximum });
  const real = graph.add('Greater', [targetMaximum, graph.scalar(0)]);
  const hit = graph.add('And', [graph.add('And', [chosen, target]), real]);
  return total(graph, graph.add('Where', [hit, graph.scalar(1), graph.scalar(0)]));
}

const rowMaximum = (graph: GraphBuilder, value: string): string =>
  graph.add('ReduceMax', [value], { ints: { axes: [1] }, int: { keepdims: 1 } });

const rowSum = (graph: GraphBuilder, value: string): string =>
  graph.add('ReduceSum', [value, graph.integers(1)], { int: { keepdims: 1 } });

/** [1] */
const total = (graph: GraphBuilder, value: string): string =>
  graph.add('ReduceSum', [
    graph.add('ReduceSum', [value, graph.integers(1)], { int: { keepdims: 0 } }),
    graph.integers(0),
  ]);
