/** Several frames in the single body of an AMQP message: u32 count, u32 length of each, then the frames; little-endian. */
import { limits, MusterError } from '@muster/shared';

const WORD = 4;

export function bodyBytes(frames: readonly Uint8Array[]): number {
  return frames.reduce((sum, frame) => sum + WORD + frame.byteLength, WORD);
}

/** Throws TOO_LARGE for a body that would make the broker close the channel. */
export function checkSize(frames: readonly Uint8Array[]): void {
  const bytes = bodyBytes(frames);
  if (bytes > limits.backboneMessageBytesMax.value)
    throw new MusterError('TOO_LARGE', 'a message is too large for the backbone', { why: `${bytes} bytes` });
}

/** The only copy on the way to the socket. */
export function encodeBody(frames: readonly Uint8Array[]): Buffer {
  const body = Buffer.allocUnsafe(bodyBytes(frames));
  let at = body.writeUInt32LE(frames.length, 0);
  for (const frame of frames) at = body.writeUInt32LE(frame.byteLength, at);
  for (const frame of frames) {
    body.set(frame, at);
    at += frame.byteLength;
  }
  return body;
}

/** Views into the body. Throws PROTOCOL when counts and lengths do not fit the bytes. */
export function decodeBody(body: Uint8Array): Uint8Array[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const lengths = readLengths(view);
  let at = WORD * (lengths.length + 1);
  if (lengths.reduce((sum, length) => sum + length, at) !== body.byteLength)
    throw malformed(`${body.byteLength} bytes, frames of ${lengths.join(', ')}`);
  return lengths.map((length) => body.subarray(at, (at += length)));
}

function readLengths(view: DataView): number[] {
  const count = view.byteLength < WORD ? Infinity : view.getUint32(0, true);
  if (count > limits.framesMax.value || view.byteLength < WORD * (count + 1))
    throw malformed(`${count} frames in ${view.byteLength} bytes`);
  return Array.from({ length: count }, (_, at) => view.getUint32(WORD * (at + 1), true));
}

const malformed = (why: string): MusterError =>
  new MusterError('PROTOCOL', 'a message of the backbone is not a list of frames', { why });
