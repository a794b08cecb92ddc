import type { GraphBuilder } from '../graph-builder.ts';
import type { Tape, Value } from '../tape.ts';
import { each, type WindowPair } from './convolution.ts';
import { firstMaximum } from './first-maximum.ts';

/** The gradient goes to the first maximum of each window, on every device and by each of the three ways below. */
export function maxPool(tape: Tape, x: Value, windows: WindowPair): Value {
  const { graph, device } = tape;
  const apart = windows.every(({ size, stride }) => stride >= size);
  if (x.wanted && device === 'cpu' && apart) return maxPoolWithIndices(tape, x, windows);
  const y = graph.add('MaxPool', [x.name], { ints: poolAttributes(windows) });
  const tiled = windows.every(({ size, stride, rest }) => size === stride && rest === 0);
  const scatter = tiled ? scatterInTiles : scatterInWindows;
  const gradient = (dy: string): string => scatter(graph, { x, y, dy, windows });
  return tape.record(y, pooledShape(x, windows), [{ input: x, gradient }]);
}

export function averagePool(tape: Tape, x: Value, windows: WindowPair): Value {
  const { graph } = tape;
  const y = graph.add('AveragePool', [x.name], { ints: poolAttributes(windows) });
  const [{ size }] = windows;
  const gradient = (dy: string): string => {
    const share = graph.floats(`share_${size}`, [1, 1, size, size], new Float32Array(size * size).fill(1 / size ** 2));
    const planes = graph.add('Reshape', [dy, graph.integers(-1, 1, ...each(windows, 'count'))]);
    return spread(graph, planes, { x, kernel: share, windows });
  };
  return tape.record(y, pooledShape(x, windows), [{ input: x, gradient }]);
}

/** Mean of each channel. */
export function globalAveragePool(tape: Tape, x: Value): Value {
  const { graph } = tape;
  const [channels = 0, height = 0, width = 0] = x.shape;
  const y = graph.add('ReduceMean', [x.name], { ints: { axes: [2, 3] }, int: { keepdims: 0 } });
  const gradient = (dy: string): string => {
    const share = graph.add('Mul', [dy, graph.scalar(1 / (height * width))]);
    const column = graph.floats(`ones_${height}_1`, [1, 1, height, 1], new Float32Array(height).fill(1));
    const row = graph.floats(`ones_1_${width}`, [1, 1, 1, width], new Float32Array(width).fill(1));
    const single = graph.add('Reshape', [share, graph.integers(-1, channels, 1, 1)]);
    return graph.add('Mul', [graph.add('Mul', [single, column]), row]);
  };
  return tape.record(y, [channels], [{ input: x, gradient }]);
}

/** Keeps the indices of the maxima: a LeNet step takes a third less time than by comparing, but neither WebGPU nor CUDA supports it. */
function maxPoolWithIndices(tape: Tape, x: Value, windows: WindowPair): Value {
  const { graph } = tape;
  const ints = poolAttributes(windows);
  const [y, indices] = graph.addPair('MaxPool', [x.name], { ints });
  const gradient = (dy: string): string =>
    graph.add('MaxUnpool', [dy, indices, graph.add('Shape', [x.name])], { ints });
  return tape.record(y, pooledShape(x, windows), [{ input: x, gradient }]);
}

interface Pooled {
  readonly x: Value;
  readonly y: string;
  readonly dy: string;
  readonly windows: WindowPair;
}

/** Windows that tile the image are a view of it: [N * channels * rows of windows, size, columns of windows, size]. */
function scatterInTiles(graph: GraphBuilder, { x, y, dy, windows }: Pooled): string {
  const [{ size }, { count }] = windows;
  const view = (value: string, across: number): string =>
    graph.add('Reshape', [value, graph.integers(-1, across, count, across)]);
  const first = firstMaximum(graph, view(x.name, size), {
    maximum: view(y, 1),
    axes: [1, 3],
    dims: [1, size, 1, size],
  });
  const dx = graph.add('Where', [first, view(dy, 1), graph.scalar(0)]);
  return graph.add('Reshape', [dx, graph.integers(-1, ...x.shape)]);
}

/**
 * Windows that overlap or leave gaps: a convolution whose kernels each pick one place of the window lists every window's values
 * as channels, and its transpose adds them up again where they came from.
 */
function scatterInWindows(graph: GraphBuilder, { x, y, dy, windows }: Pooled): string {
  const [{ size }] = windows;
  const places = size * size;
  const plane = graph.integers(-1, 1, ...x.shape.slice(1));
  const kernel = graph.floats(`place_${size}`, [places, 1, size, size], identity(places));
  const single = (value: string): string =>
    graph.add('Reshape', [value, graph.integers(-1, 1, ...each(windows, 'count'))]);
  const ints = { strides: each(windows, 'stride') };
  const values = graph.add('Conv', [graph.add('Reshape', [x.name, plane]), kernel], { ints });
  const first = firstMaximum(graph, values, { maximum: single(y), axes: [1], dims: [1, places, 1, 1] });
  return spread(graph, graph.add('Where', [first, single(dy), graph.scalar(0)]), { x, kernel, windows });
}

/** Sums for every value of x, channel by channel, the contributions of the windows over it. */
function spread(
  graph: GraphBuilder,
  planes: string,
  { x, kernel, windows }: { x: Value; kernel: string; windows: WindowPair },
): string {
  const ints = { strides: each(windows, 'stride'), output_padding: each(windows, 'rest') };
  return graph.add('Reshape', [graph.add('ConvTranspose', [planes, kernel], { ints }), graph.integers(-1, ...x.shape)]);
}

function identity(order: number): Float32Array {
  const values = new Float32Array(order * order);
  for (let i = 0; i < order; i++) values[i * (order + 1)] = 1;
  return values;
}

const poolAttributes = (windows: WindowPair): Record<string, number[]> => ({
  kernel_shape: each(windows, 'size'),
  strides: each(windows, 'stride'),
});

const pooledShape = ({ shape }: Value, windows: WindowPair): number[] => [
  ...shape.slice(0, 1),
  ...each(windows, 'count'),
];
