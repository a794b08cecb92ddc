import type { ConvLayer, PoolLayer } from './description.ts';

/** How a window slides along one dimension of an image. */
export interface Windows {
  readonly size: number;
  readonly stride: number;
  /** Zeros before the first and after the last value. */
  readonly before: number;
  readonly after: number;
  /** Number of places; below 1 when the window is larger than what it slides along. */
  readonly count: number;
  /** Values at the end that no window reaches. */
  readonly rest: number;
}

interface Window {
  readonly size: number;
  readonly stride: number;
  readonly padding: number | 'same';
}

export const convWindow = ({ kernel, stride, padding }: ConvLayer): Window => ({ size: kernel, stride, padding });

export const poolWindow = ({ size, stride = size }: PoolLayer): Window => ({ size, stride, padding: 0 });

export function windowsAlong(length: number, { size, stride, padding }: Window): Windows {
  const total =
    padding === 'same' ? Math.max((Math.ceil(length / stride) - 1) * stride + size - length, 0) : 2 * padding;
  // An odd zero of 'same' goes to the end, as in TensorFlow and in SAME_UPPER of ONNX.
  const before = Math.floor(total / 2);
  const room = length + total - size;
  return { size, stride, before, after: total - before, count: Math.floor(room / stride) + 1, rest: room % stride };
}

/** Rows and columns of an image [channels, height, width] under the same window. */
export function windowsOver([, height = 0, width = 0]: readonly number[], window: Window): [Windows, Windows] {
  return [windowsAlong(height, window), windowsAlong(width, window)];
}
