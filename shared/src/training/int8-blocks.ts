import { elementsOf } from '../tensor/dtype.ts';
import { notFinite, wrongPayload } from './codec-errors.ts';

const { abs, fround, min } = Math;

/** Values that share one scale: 0.4 % more bytes, and one large value spoils only its neighbours. */
const BLOCK = 1024;
/** Added and subtracted, it rounds a float64 to the nearest whole number, ties to even. */
const ROUNDER = 1.5 * 2 ** 52;
/** Below it the scale would lose bits as a float32; such a block is sent as zeros. */
const SCALE_MIN = 2 ** -126;

/** Beyond it 127 * scale could round to infinity. */
const LARGEST = 2 ** 127;

const blocksIn = (count: number): number => Math.ceil(count / BLOCK);

export const int8Bytes = (count: number): number => 4 * blocksIn(count) + count;

/**
 * One float32 scale per block of 1024, then one int8 a value: value = scale * int8.
 * @throws BAD_DATA for a value that is not finite, or beyond 2^127.
 */
export function encodeInt8(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(int8Bytes(values.length));
  const scales = new Float32Array(bytes.buffer, 0, blocksIn(values.length));
  const levels = new Int8Array(bytes.buffer, scales.byteLength);
  for (let block = 0; block < scales.length; block += 1) {
    const [from, to] = bounds(block, values.length);
    const largest = largestIn(values, from, to);
    if (!(largest < LARGEST)) throw notFinite();
    const scale = fround(largest / 127);
    scales[block] = scale < SCALE_MIN ? 0 : scale;
    if (scale >= SCALE_MIN) quantize(values.subarray(from, to), 1 / scale, levels.subarray(from, to));
  }
  return bytes;
}

const bounds = (block: number, count: number): [number, number] => [block * BLOCK, min((block + 1) * BLOCK, count)];

/** NaN if there is one. */
function largestIn(values: Float32Array, from: number, to: number): number {
  let largest = 0;
  let sum = 0;
  for (let i = from; i < to; i += 1) {
    const size = abs(values[i]!);
    sum += size;
    if (size > largest) largest = size;
  }
  return Number.isNaN(sum) ? Number.NaN : largest;
}

function quantize(values: Float32Array, inverse: number, levels: Int8Array): void {
  for (let i = 0; i < levels.length; i += 1) levels[i] = values[i]! * inverse + ROUNDER - ROUNDER;
}

/**
 * `bytes.length` is int8Bytes(out.length).
 * @throws PROTOCOL for a scale that is negative or not finite; `out` is then unchanged.
 */
export function decodeInt8(bytes: Uint8Array, out: Float32Array, add: boolean): void {
  const blocks = blocksIn(out.length);
  const scales = elementsOf('float32', bytes.subarray(0, 4 * blocks));
  const wrong = scales.findIndex((scale) => !(scale >= 0 && scale < Infinity));
  if (wrong >= 0) throw wrongPayload(`block ${wrong} has the scale ${scales[wrong]}`);
  const levels = elementsOf('int8', bytes.subarray(4 * blocks));
  const decodeBlock = add ? addScaled : storeScaled;
  for (let block = 0; block < blocks; block += 1) {
    const [from, to] = bounds(block, out.length);
    decodeBlock(levels.subarray(from, to), scales[block]!, out.subarray(from, to));
  }
}

function storeScaled(levels: Int8Array, scale: number, out: Float32Array): void {
  for (let i = 0; i < out.length; i += 1) out[i] = scale * levels[i]!;
}

function addScaled(levels: Int8Array, scale: number, out: Float32Array): void {
  for (let i = 0; i < out.length; i += 1) out[i]! += fround(scale * levels[i]!);
}
