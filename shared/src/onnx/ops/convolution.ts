import type { Windows } from '../../model/windows.ts';
import type { Tape, Value } from '../tape.ts';
import { biasPullback, nameOf, type AffineWeights } from './dense.ts';

/** Rows and columns. */
export type WindowPair = readonly [Windows, Windows];

/** y (N, filters, h', w') = cross-correlation of x (N, channels, h, w) with weight (filters, channels, kernel, kernel), + bias. */
export function convolution(tape: Tape, x: Value, options: AffineWeights & { windows: WindowPair }): Value {
  const { weight, bias, windows } = options;
  const { graph } = tape;
  const [filters = 0] = weight.shape;
  const ints = { strides: each(windows, 'stride'), pads: pads(windows) };
  const y = graph.add('Conv', [x.name, weight.name, ...nameOf(bias)], { ints });
  return tape.record(
    y,
    [filters, ...each(windows, 'count')],
    [
      {
        input: x,
        gradient: (dy) =>
          graph.add('ConvTranspose', [dy, weight.name], { ints: { ...ints, output_padding: each(windows, 'rest') } }),
      },
      { input: weight, gradient: (dy) => weightGradient(tape, { x, dy, windows }) },
      ...biasPullback(tape, bias, [0, 2, 3]),
    ],
  );
}

/**
 * Batch and channels change places: each (channel, filter) pair is then one convolution of all the samples' images with all the
 * samples' gradients, which lie `stride` apart. 18 % faster than im2col and a matrix product (batch 128).
 */
function weightGradient({ graph }: Tape, { x, dy, windows }: { x: Value; dy: string; windows: WindowPair }): string {
  const swap = (value: string): string => graph.add('Transpose', [value], { ints: { perm: [1, 0, 2, 3] } });
  const ints = { dilations: each(windows, 'stride'), pads: pads(windows) };
  const wide = swap(graph.add('Conv', [swap(x.name), swap(dy)], { ints }));
  if (windows.every(({ rest }) => rest === 0)) return wide;
  // Input values that no window reaches yield extra positions at the end, beyond the kernel.
  const sizes = graph.integers(...each(windows, 'size'));
  return graph.add('Slice', [wide, graph.integers(0, 0), sizes, graph.integers(2, 3)]);
}

/** One property of rows and columns, in the order of ONNX attributes. */
export const each = (windows: WindowPair, property: keyof Windows): number[] => windows.map((along) => along[property]);

const pads = (windows: WindowPair): number[] => [...each(windows, 'before'), ...each(windows, 'after')];
