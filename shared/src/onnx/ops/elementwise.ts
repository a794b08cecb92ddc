import { elementCount } from '../../tensor/shape.ts';
import type { Tape, Value } from '../tape.ts';

/** x + branch, of one shape. */
export function add(tape: Tape, x: Value, branch: Value): Value {
  return tape.record(tape.graph.add('Add', [x.name, branch.name]), x.shape, [
    { input: x, gradient: unchanged },
    { input: branch, gradient: unchanged },
  ]);
}

const unchanged = (dy: string): string => dy;

/** x * mask, where the mask (an input, of the shape of x) holds 0 or 1 / (1 - rate). */
export function dropout(tape: Tape, x: Value, mask: string): Value {
  const gradient = (dy: string): string => tape.graph.add('Mul', [dy, mask]);
  return tape.record(tape.graph.add('Mul', [x.name, mask]), x.shape, [{ input: x, gradient }]);
}

export function flatten(tape: Tape, x: Value): Value {
  if (x.shape.length === 1) return x;
  const { graph } = tape;
  const count = elementCount(x.shape);
  const gradient = (dy: string): string => graph.add('Reshape', [dy, graph.integers(-1, ...x.shape)]);
  return tape.record(graph.add('Reshape', [x.name, graph.integers(-1, count)]), [count], [{ input: x, gradient }]);
}
