import { bytesOf, elementsOf } from '../tensor/dtype.ts';
import { accumulate } from './accumulate.ts';
import { addBf16, decodeBf16, encodeBf16 } from './bf16.ts';
import { wrongPayload } from './codec-errors.ts';
import type { Compression } from './compression.ts';
import { decodeInt8, encodeInt8, int8Bytes } from './int8-blocks.ts';
import { decodeTopK, encodeTopK, topKBytes } from './top-k.ts';

/** Bytes that `count` values take: known to both sides, so that a frame's length is checked before anything is read. */
export function encodedBytes(codec: Compression, count: number): number {
  switch (codec) {
    case 'none':
      return 4 * count;
    case 'bf16':
      return 2 * count;
    case 'int8':
      return int8Bytes(count);
    default:
      return topKBytes(codec.topk, count);
  }
}

/**
 * One frame, little-endian; for 'none' a view of `values`, else new bytes.
 * @throws BAD_DATA for values that are not finite, with int8 and top-k; 'none' and 'bf16' keep them.
 */
export function encodeGradient(codec: Compression, values: Float32Array): Uint8Array {
  switch (codec) {
    case 'none':
      return bytesOf(values);
    case 'bf16':
      return encodeBf16(values);
    case 'int8':
      return encodeInt8(values);
    default:
      return encodeTopK(codec.topk, values);
  }
}

export interface DecodeTarget {
  readonly out: Float32Array;
  /** Add to `out` instead of overwriting it. */
  readonly add?: boolean;
}

/** @throws PROTOCOL for a payload that `encodeGradient` cannot have made for as many values; `out` is then unchanged. */
export function decodeGradient(codec: Compression, bytes: Uint8Array, { out, add = false }: DecodeTarget): void {
  const expected = encodedBytes(codec, out.length);
  if (bytes.length !== expected) throw wrongPayload(`${bytes.length} bytes, ${out.length} values take ${expected}`);
  switch (codec) {
    case 'none':
      return add ? accumulate(out, elementsOf('float32', bytes)) : out.set(elementsOf('float32', bytes));
    case 'bf16':
      return add ? addBf16(bytes, out) : decodeBf16(bytes, out);
    case 'int8':
      return decodeInt8(bytes, out, add);
    default:
      return decodeTopK(bytes, out, add);
  }
}
