/**
 * What a provider and its compute processes say to each other over the process's stdin and stdout. One frame is a u32 (little
 * endian) length and that many bytes of JSON. Bulk bytes never travel here: operands and results are files.
 */
import type { DeviceFacts, OperandDtype, TileWork, WireError } from '@muster/shared';

export type DeviceKind = 'cpu' | 'webgpu' | 'cuda' | 'dml' | 'coreml';

export interface TileJob {
  readonly work: TileWork;
  /** Files of the blocks work.a and work.b, in the same order. */
  readonly aPaths: readonly string[];
  readonly bPaths: readonly string[];
  /** The file that receives the tile; overwritten. */
  readonly out: string;
}

export interface TileDone {
  /** Length of the tile. */
  readonly bytes: number;
  /** Time in the multiplication itself. */
  readonly computeMs: number;
  /** Files to memory, and a B that becomes resident to the device. */
  readonly readMs: number;
  readonly writeMs: number;
}

export interface OpenRequest {
  readonly type: 'open';
  readonly kind: DeviceKind;
  readonly threads: number;
  readonly cacheBytes: number;
  /** Types that the device itself serves, as found by an earlier life of the process; null: find out by measuring. */
  readonly served: readonly OperandDtype[] | null;
  readonly tamper: string;
}

/** Answered in order, one reply each; `stop` has none. */
export type Request = OpenRequest | { readonly type: 'multiply'; readonly job: TileJob } | { readonly type: 'stop' };

export interface Opened {
  readonly type: 'opened';
  readonly served: readonly OperandDtype[];
  readonly gflops: DeviceFacts['gflops'];
}

export type Reply =
  | Opened
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'done'; readonly done: TileDone }
  | { readonly type: 'failed'; readonly error: WireError };

const LENGTH_BYTES = 4;

export function encodeFrame(message: Request | Reply): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.length);
  frame.writeUInt32LE(body.length, 0);
  frame.set(body, LENGTH_BYTES);
  return frame;
}

/** Both ends are this program, so a frame is trusted to be a message. */
export async function* readFrames<T extends Request | Reply>(stream: AsyncIterable<Buffer>): AsyncGenerator<T> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (let end = frameEnd(pending); end <= pending.length; end = frameEnd(pending)) {
      yield JSON.parse(pending.toString('utf8', LENGTH_BYTES, end)) as T;
      pending = pending.subarray(end);
    }
  }
}

const frameEnd = (bytes: Buffer): number =>
  bytes.length < LENGTH_BYTES ? Number.POSITIVE_INFINITY : LENGTH_BYTES + bytes.readUInt32LE(0);
