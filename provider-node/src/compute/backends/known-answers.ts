/** Known answers that a device must reproduce before it is trusted, computed by plain loops in double precision. */
import { bytesOf, seededRandom, zeros, type Elements, type OperandDtype } from '@muster/shared';
import type { Panel } from './backend.ts';

/** Unit round-off; an int8 product is exact. */
const ROUND_OFF = { float32: 2 ** -24, float64: 2 ** -53, int8: 0 };

export interface ProductCase {
  readonly name: string;
  readonly a: Panel;
  readonly b: Panel;
  /** Throws when the answer is further off than rounding explains: 4 u K max|a| max|b|. */
  expect(answer: Elements): void;
}

/** [M, K, N]: vector tails (no dimension a multiple of 4, 8 or 16), only multiples, a single row. */
const SHAPES = [
  [9, 37, 19],
  [64, 128, 48],
  [1, 70, 33],
] as const;

export const productCases = (dtype: OperandDtype): readonly ProductCase[] =>
  SHAPES.map((shape) => productCase(dtype, shape));

function productCase(dtype: OperandDtype, [m, k, n]: (typeof SHAPES)[number]): ProductCase {
  const draw = seededRandom(m * 31 + k);
  // Extremes for int8: products of neighbours overflow 16 bits, which some u8 * s8 instructions clip.
  const value = dtype === 'int8' ? () => (draw() < 0.5 ? -128 : 127) : () => draw() - 0.5;
  const a = zeros(dtype, m * k).map(value);
  const b = zeros(dtype, k * n).map(value);
  const expected = naiveProduct(a, b, [m, k, n]);
  const name = `${dtype} product ${m} x ${k} x ${n}`;
  return {
    name,
    a: { bytes: bytesOf(a), rows: m, columns: k },
    b: { bytes: bytesOf(b), rows: k, columns: n },
    expect: (answer) => expectClose({ name, expected, allowed: 4 * ROUND_OFF[dtype] * k * 0.25 }, answer),
  };
}

function naiveProduct(a: Elements, b: Elements, [m, k, n]: readonly [number, number, number]): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      for (let j = 0; j < n; j++) c[i * n + j]! += a[i * k + p]! * b[p * n + j]!;
    }
  }
  return c;
}

/** 6 to 16 channels, 5 x 5 kernel: WebGPU computes this wrongly in its default layout, see onnx-options.ts. */
const [CHANNELS_IN, CHANNELS_OUT, SIDE, KERNEL, PAD] = [6, 16, 8, 5, 2];

function makeConvolutionCase() {
  const draw = seededRandom(6);
  const x = new Float32Array(CHANNELS_IN * SIDE * SIDE).map(() => draw() - 0.5);
  const w = new Float32Array(CHANNELS_OUT * CHANNELS_IN * KERNEL * KERNEL).map(() => draw() - 0.5);
  const allowed = 4 * ROUND_OFF.float32 * CHANNELS_IN * KERNEL * KERNEL * 0.25;
  return {
    pad: PAD,
    x: { values: x, dims: [1, CHANNELS_IN, SIDE, SIDE] },
    w: { values: w, dims: [CHANNELS_OUT, CHANNELS_IN, KERNEL, KERNEL] },
    expect: (answer: Elements): void =>
      expectClose({ name: 'convolution of 6 to 16 channels', expected: naiveConvolution(x, w), allowed }, answer),
  };
}

export const convolutionCase = makeConvolutionCase();

function naiveConvolution(x: Float32Array, w: Float32Array): Float64Array {
  const y = new Float64Array(CHANNELS_OUT * SIDE * SIDE);
  for (let at = 0; at < y.length; at++) {
    const [o, row, column] = [Math.floor(at / SIDE ** 2), Math.floor(at / SIDE) % SIDE, at % SIDE];
    for (let tap = 0; tap < CHANNELS_IN * KERNEL ** 2; tap++) {
      const channel = Math.floor(tap / KERNEL ** 2);
      const r = row + (Math.floor(tap / KERNEL) % KERNEL) - PAD;
      const c = column + (tap % KERNEL) - PAD;
      if (r < 0 || c < 0 || r >= SIDE || c >= SIDE) continue;
      y[at]! += x[(channel * SIDE + r) * SIDE + c]! * w[o * CHANNELS_IN * KERNEL ** 2 + tap]!;
    }
  }
  return y;
}

interface Expectation {
  readonly name: string;
  readonly expected: Float64Array;
  readonly allowed: number;
}

function expectClose({ name, expected, allowed }: Expectation, answer: Elements): void {
  if (answer.length !== expected.length) throw new Error(`self-test: ${name} has ${answer.length} elements`);
  let worst = 0;
  expected.forEach((value, at) => {
    const off = Math.abs(value - answer[at]!);
    // NaN counts as infinitely wrong.
    if (!(off <= worst)) worst = Number.isNaN(off) ? Number.POSITIVE_INFINITY : off;
  });
  if (worst <= allowed) return;
  throw new Error(`self-test: ${name} is off by ${worst.toPrecision(2)}, ${allowed.toPrecision(2)} is allowed`);
}
