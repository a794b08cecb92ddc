import type { Activation } from '../../model/description.ts';
import type { GraphBuilder } from '../graph-builder.ts';
import type { Tape, Value } from '../tape.ts';

export function activation(tape: Tape, x: Value, kind: Activation): Value {
  const { graph } = tape;
  const { y, slope } = functions[kind](graph, x.name);
  return tape.record(y, x.shape, [{ input: x, gradient: slope }]);
}

interface Applied {
  readonly y: string;
  /** dx from dy */
  readonly slope: (dy: string) => string;
}

const functions: Record<Activation, (graph: GraphBuilder, x: string) => Applied> = { relu, gelu, sigmoid, tanh };

/** Mul(dy, Sign(y)) would do as well, but WebGPU has no Sign. */
function relu(graph: GraphBuilder, x: string): Applied {
  const y = graph.add('Relu', [x]);
  const zero = graph.scalar(0);
  return { y, slope: (dy) => graph.add('Where', [graph.add('Greater', [y, zero]), dy, zero]) };
}

/** Exact GELU: y = x * cdf(x), y' = cdf(x) + x * density(x), of the standard normal distribution (arXiv 1606.08415). */
function gelu(graph: GraphBuilder, x: string): Applied {
  const scaled = graph.add('Mul', [x, graph.scalar(Math.SQRT1_2)]);
  const shifted = graph.add('Add', [graph.add('Erf', [scaled]), graph.scalar(1)]);
  const cdf = graph.add('Mul', [shifted, graph.scalar(0.5)]);
  const slope = (dy: string): string => {
    const exponent = graph.add('Neg', [graph.add('Mul', [scaled, scaled])]);
    const density = graph.add('Mul', [graph.add('Exp', [exponent]), graph.scalar(1 / Math.sqrt(2 * Math.PI))]);
    return graph.add('Mul', [dy, graph.add('Add', [cdf, graph.add('Mul', [x, density])])]);
  };
  return { y: graph.add('Mul', [x, cdf]), slope };
}

/** y' = y * (1 - y) */
function sigmoid(graph: GraphBuilder, x: string): Applied {
  const y = graph.add('Sigmoid', [x]);
  const slope = (dy: string): string => {
    const rest = graph.add('Sub', [graph.scalar(1), y]);
    return graph.add('Mul', [dy, graph.add('Mul', [y, rest])]);
  };
  return { y, slope };
}

/** y' = 1 - y^2 */
function tanh(graph: GraphBuilder, x: string): Applied {
  const y = graph.add('Tanh', [x]);
  const slope = (dy: string): string => {
    const square = graph.add('Mul', [y, y]);
    return graph.add('Mul', [dy, graph.add('Sub', [graph.scalar(1), square])]);
  };
  return { y, slope };
}
