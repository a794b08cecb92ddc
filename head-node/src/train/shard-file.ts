import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  decodeGradient,
  MusterError,
  readShardResult,
  SHARD_HEADER_BYTES,
  type Compression,
  type ShardResult,
} from '@muster/shared';

/** Reads result files into memory that is used again and again: fresh pages cost 0.4 ms for each MB. */
export class ShardFile {
  #memory = Buffer.alloc(0);

  /**
   * What a node returned for a shard; its payload is valid until the next call. Throws BAD_DATA for what is no result of so many samples,
   * and BLOCK_MISSING when there is no file.
   */
  read(path: string, { samples, payloadBytes, mayCarry }: Expected): ShardResult {
    const bytes = this.#bytes(path, SHARD_HEADER_BYTES + payloadBytes);
    const result = readShardResult(bytes, samples);
    const { length } = result.payload;
    if (result.after > 0 && !mayCarry)
      throw badResult(`it carries what shard ${result.after} left, and nothing is kept`);
    // Codecs take finite values only: a shard that is not finite comes without a payload.
    if (length === payloadBytes || (length === 0 && !Number.isFinite(result.loss))) return result;
    throw badResult(`it carries ${length} bytes, not ${payloadBytes}`);
  }

  /** Reads at most one byte more than expected, which tells that the file is too long. */
  #bytes(path: string, expected: number): Buffer {
    if (this.#memory.length < expected + 1) this.#memory = Buffer.allocUnsafeSlow(expected + 1);
    const file = opened(path);
    try {
      const wanted = Math.min(fstatSync(file).size, expected + 1);
      return this.#memory.subarray(0, readUpTo(file, this.#memory.subarray(0, wanted)));
    } finally {
      closeSync(file);
    }
  }
}

export interface Expected {
  readonly samples: number;
  readonly payloadBytes: number;
  /** Do nodes keep a residual of what compression leaves out? */
  readonly mayCarry: boolean;
}

const badResult = (why: string): MusterError =>
  new MusterError('BAD_DATA', 'what came of a shard is no result of it', { why });

function opened(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw new MusterError('BLOCK_MISSING', 'what came of a shard cannot be read', {
      why: `${path} is not there`,
      cause,
    });
  }
}

function readUpTo(file: number, into: Buffer): number {
  let filled = 0;
  while (filled < into.length) {
    const read = readSync(file, into, filled, into.length - filled, filled);
    if (read === 0) break;
    filled += read;
  }
  return filled;
}

/** Decodes into `out`; false when a value, or the loss, is not finite. Throws PROTOCOL for what no codec has written. */
export function decodeShard({ loss, payload }: ShardResult, codec: Compression, out: Float32Array): boolean {
  if (payload.length === 0) return Number.isFinite(loss);
  decodeGradient(codec, payload, { out });
  return Number.isFinite(loss) && allFinite(out);
}

/**
 * Sums of finite float32 values are finite in float64. Four sums, because each addition waits for the one before: twice as fast as testing
 * the bits of each value.
 */
export function allFinite(values: Float32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += values[i]!;
    b += values[i + 1]!;
    c += values[i + 2]!;
    d += values[i + 3]!;
  }
  for (let i = whole; i < values.length; i += 1) a += values[i]!;
  return Number.isFinite(a + b + c + d);
}
