/**
 * Messages on a pipe between two processes of this program. A frame is `u32 length, msgpack`, little endian. Bytes travel as
 * `Uint8Array`; msgpack would corrupt any other typed array.
 */
import { Packr } from 'msgpackr';
import { MusterError } from '../errors.ts';

/** A longer frame is a stray print to standard output, not a message. */
const FRAME_BYTES_MAX = 256 * 2 ** 20;

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true });

export function frameOf(message: unknown): Buffer {
  const packed = packr.pack(message);
  const frame = Buffer.allocUnsafe(4 + packed.length);
  frame.writeUInt32LE(packed.length, 0);
  frame.set(packed, 4);
  return frame;
}

export interface FrameEvents {
  readonly onFrame: (frame: unknown) => void;
  /** The stream does not hold valid frames; nothing more is read from it. */
  readonly onGarbage: () => void;
}

export function readFrames(stream: NodeJS.ReadableStream, { onFrame, onGarbage }: FrameEvents): void {
  const cutter = new FrameCutter(onFrame);
  const onChunk = (chunk: Buffer): void => {
    try {
      cutter.push(chunk);
    } catch {
      stream.removeListener('data', onChunk);
      onGarbage();
    }
  };
  stream.on('data', onChunk);
}

/** Reassembles frames from chunks of any length. */
class FrameCutter {
  readonly #onFrame: (frame: unknown) => void;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #wantedBytes = 4;

  constructor(onFrame: (frame: unknown) => void) {
    this.#onFrame = onFrame;
  }

  /** Throws for bytes that cannot be a frame. */
  push(chunk: Buffer): void {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#wantedBytes) return;
    const rest = this.#takeFrames(this.#held.length === 1 ? chunk : Buffer.concat(this.#held));
    this.#held = rest.length === 0 ? [] : [rest];
    this.#heldBytes = rest.length;
  }

  #takeFrames(bytes: Buffer): Buffer {
    let rest = bytes;
    this.#wantedBytes = wantedBytes(rest);
    while (rest.length >= 4 && rest.length >= this.#wantedBytes) {
      this.#onFrame(packr.unpack(rest.subarray(4, this.#wantedBytes)));
      rest = rest.subarray(this.#wantedBytes);
      this.#wantedBytes = wantedBytes(rest);
    }
    return rest;
  }
}

function wantedBytes(bytes: Buffer): number {
  const length = bytes.length < 4 ? 0 : bytes.readUInt32LE(0);
  if (length > FRAME_BYTES_MAX)
    throw new MusterError('PROTOCOL', 'a pipe carries no frames', { why: `${length} bytes` });
  return 4 + length;
}
