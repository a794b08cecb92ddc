import { elementCount } from '../../tensor/shape.ts';
import type { GraphBuilder } from '../graph-builder.ts';

export interface MaximumOf {
  /** Value to compare with, of a shape that broadcasts to the values'. */
  readonly maximum: string;
  readonly axes: readonly number[];
  /** Sizes of `axes`; 1 elsewhere. */
  readonly dims: readonly number[];
}

/**
 * True at the first value along `axes` that equals the maximum, and nowhere else. Ties are the rule where images have a constant
 * background: without a single winner the gradient of the first bias was off by 129 % on MNIST. ArgMax would need an int64
 * comparison, which falls to the CPU on WebGPU.
 */
export function firstMaximum(graph: GraphBuilder, values: string, { maximum, axes, dims }: MaximumOf): string {
  const count = elementCount(dims);
  const descending = Array.from({ length: count }, (_, index) => count - index);
  const order = graph.floats(`order_${dims.join('_')}`, dims, descending);
  const equal = graph.add('Equal', [values, maximum]);
  const ranked = graph.add('Where', [equal, order, graph.scalar(0)]);
  const best = graph.add('ReduceMax', [ranked], { ints: { axes }, int: { keepdims: 1 } });
  return graph.add('Equal', [ranked, best]);
}
