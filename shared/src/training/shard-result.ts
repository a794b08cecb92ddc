/**
 * Result of one shard: 32 bytes of header and the encoded vector, which is empty for an evaluation. Little-endian:
 *
 *   0  u32  magic 'MSR2'
 *   4  u32  samples
 *   8  u32  right answers
 *  12  u32  number of the shard, unique among those of the node; 0 if no residual of it is kept
 *  16  u32  number of the shard whose error-feedback residual went into it; 0 for none
 *  20  u32  0
 *  24  f64  sum of the losses
 */
import { MusterError } from '../errors.ts';

export interface ShardResult {
  readonly samples: number;
  readonly correct: number;
  /** Sum over the samples. */
  readonly loss: number;
  /** 0 if no residual of it goes into another shard. */
  readonly number: number;
  /** Shard whose error-feedback residual went into this one, 0 for none. Auditing this shard needs that one. */
  readonly after: number;
  /** Encoded as the task's compression says; a view of the given bytes. */
  readonly payload: Uint8Array;
}

export const SHARD_HEADER_BYTES = 32;
const MAGIC = 0x3252534d;
/** Small enough that the sum over all shards of a run stays finite. */
const LOSS_MAX = 1e280;

/** `number` and `after` are left out if no residual is kept from shard to shard. */
export type ShardHeader = Pick<ShardResult, 'samples' | 'correct' | 'loss'> &
  Partial<Pick<ShardResult, 'number' | 'after'>>;

/** The header alone: the payload is written behind it, without a copy. */
export function shardHeader({ samples, correct, loss, number = 0, after = 0 }: ShardHeader): Uint8Array {
  const view = new DataView(new ArrayBuffer(SHARD_HEADER_BYTES));
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, samples, true);
  view.setUint32(8, correct, true);
  view.setUint32(12, number, true);
  view.setUint32(16, after, true);
  view.setFloat64(24, loss, true);
  return new Uint8Array(view.buffer);
}

/**
 * Throws BAD_DATA for anything but a shard result of this many samples. The loss may be NaN or infinite: that is the run's problem, not the
 * node's.
 */
export function readShardResult(bytes: Uint8Array, samples: number): ShardResult {
  if (bytes.length < SHARD_HEADER_BYTES) throw badResult(`it has ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [magic, seen, correct] = [view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true)];
  if (magic !== MAGIC) throw badResult(`it begins with ${magic.toString(16)}`);
  if (seen !== samples) throw badResult(`it is of ${seen} samples, the shard has ${samples}`);
  if (correct > samples) throw badResult(`${correct} of ${samples} answers are right`);
  const loss = view.getFloat64(24, true);
  if (Number.isFinite(loss) && Math.abs(loss) > LOSS_MAX) throw badResult(`its loss is ${loss}`);
  const [number, after] = [view.getUint32(12, true), view.getUint32(16, true)];
  return { samples, correct, loss, number, after, payload: bytes.subarray(SHARD_HEADER_BYTES) };
}

/** Upper bound: top-k may take eight bytes a parameter, the other codecs at most four and a thousandth. */
export const shardResultBytesMax = (parameters: number): number => SHARD_HEADER_BYTES + 8 * parameters + 64;

const badResult = (why: string): MusterError =>
  new MusterError('BAD_DATA', 'what came of a shard is no result of it', { why });
