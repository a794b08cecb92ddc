/**
 * Encodes and decodes messages; nothing else does. A message is one frame, header and meta together; a raw frame with bulk bytes may
 * follow it. The header, little endian:
 *
 *     0  u16 magic   2  u8 version   3  u8 type   4  u32 epoch   8  u32 seq   12  u32 crc32(meta)   16  u32 meta length
 *
 * Epoch and number are the head's. In a message to the head the sender's seal takes their place (see `sealed`).
 *
 * The meta is a msgpack array of the fields in the order of messages.ts. msgpack never sees bulk bytes (it would corrupt
 * typed arrays), never uses records (they are stateful per pair) and never decodes an extension (they construct objects).
 */
import { addExtension, Packr } from 'msgpackr';
import { crc32 } from 'node:zlib';
import { MusterError } from '../errors.ts';
import { firstIssue } from '../first-issue.ts';
import { PROTOCOL_VERSION, versionMismatch } from './version.ts';
import { limits } from './limits.ts';
import { messages, type Fields, type Message, type MessageType } from './messages.ts';

const MAGIC = 0x754d;
export const HEADER_BYTES = 20;

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true });

/** msgpackr's built-in extensions (undefined, Date, Error, RegExp, Set, typed arrays, records, ...): none of them belongs in a message. */
for (const type of [0x00, 0x42, 0x62, 0x65, 0x69, 0x70, 0x73, 0x74, 0x78, 0xff]) {
  addExtension({
    type,
    unpack: () => {
      throw new TypeError(`msgpack extension 0x${type.toString(16)} is not allowed`);
    },
  });
}

const typeOfCode = new Map(Object.entries(messages).map(([type, { code }]) => [code, type as MessageType]));

/** Epoch of the head, and number of this message in its stream; both 0 on channels that do not use them. */
export interface Stamp {
  readonly epoch: number;
  readonly seq: number;
}

const NO_STAMP: Stamp = { epoch: 0, seq: 0 };

export interface Envelope extends Stamp {
  readonly message: Message;
  /** The raw frame behind the message; a view into the received frame. */
  readonly payload: Uint8Array | null;
}

/** One frame. Add the raw frame behind it, if any, when sending. */
export function encode<T extends MessageType>(type: T, fields: Fields<T>, stamp: Stamp = NO_STAMP): Buffer {
  const definition = messages[type];
  const values = definition.fields.map((field) => (fields as Record<string, unknown>)[field]);
  const meta = packr.pack(values);
  if (meta.length > limits.metaBytesMax.value)
    throw new MusterError('BUG', `a '${type}' message is ${meta.length} bytes long`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + meta.length);
  frame.writeUInt16LE(MAGIC, 0);
  frame[2] = PROTOCOL_VERSION;
  frame[3] = definition.code;
  frame.writeUInt32LE(stamp.epoch, 4);
  frame.writeUInt32LE(stamp.seq, 8);
  frame.writeUInt32LE(crc32(meta), 12);
  frame.writeUInt32LE(meta.length, 16);
  frame.set(meta, HEADER_BYTES);
  return frame;
}

/** Writes the sender's seal, 16 hex digits, into a frame from `encode`; '' leaves it as it is. Returns the frame. */
export function sealed(frame: Buffer, seal: string): Buffer {
  if (seal !== '') frame.write(seal, 4, 'hex');
  return frame;
}

/** The 16 hex digits that `sealed` wrote. */
export function sealOf({ epoch, seq }: Stamp): string {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeUInt32LE(epoch, 0);
  bytes.writeUInt32LE(seq, 4);
  return bytes.toString('hex');
}

/**
 * Frames as received (without topic or routing frames) to an envelope.
 * Throws PROTOCOL for anything that is not a whole valid message and VERSION_MISMATCH for one of another version.
 */
export function decode(frames: readonly Uint8Array[]): Envelope {
  const [head, payload] = frames;
  if (head === undefined || frames.length > 2) throw malformed(`${frames.length} frames`);
  if (payload !== undefined && payload.length > limits.messageBytesMax.value)
    throw malformed(`payload of ${payload.length} bytes`);
  const frame = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const type = checkHeader(frame);
  return {
    message: readMeta(type, frame.subarray(HEADER_BYTES)),
    epoch: frame.readUInt32LE(4),
    seq: frame.readUInt32LE(8),
    payload: payload ?? null,
  };
}

function checkHeader(frame: Buffer): MessageType {
  if (frame.length < HEADER_BYTES || frame.readUInt16LE(0) !== MAGIC) throw malformed('no Muster header');
  if (frame[2] !== PROTOCOL_VERSION) throw versionMismatch(frame[2] ?? 0, 'the peer');
  const metaLength = frame.length - HEADER_BYTES;
  if (metaLength > limits.metaBytesMax.value || frame.readUInt32LE(16) !== metaLength)
    throw malformed(`meta of ${metaLength} bytes`);
  if (crc32(frame.subarray(HEADER_BYTES)) !== frame.readUInt32LE(12)) throw malformed('checksum differs');
  const type = typeOfCode.get(frame[3] ?? 0);
  if (type === undefined) throw malformed(`unknown type ${frame[3]}`);
  return type;
}

function readMeta(type: MessageType, meta: Buffer): Message {
  const { fields, schema } = messages[type];
  const values = unpackArray(meta);
  if (values.length !== fields.length) throw malformed(`'${type}' with ${values.length} fields`);
  const named: Record<string, unknown> = {};
  fields.forEach((field, position) => (named[field] = values[position]));
  const checked = schema.safeParse(named);
  if (!checked.success) throw malformed(`'${type}': ${firstIssue(checked.error)}`);
  return { ...checked.data, type } as Message;
}

function unpackArray(meta: Buffer): readonly unknown[] {
  let values: unknown;
  try {
    values = packr.unpack(meta);
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : 'not msgpack');
  }
  if (!Array.isArray(values)) throw malformed('meta is not an array');
  return values;
}

const malformed = (seen: string): MusterError =>
  new MusterError('PROTOCOL', 'a peer sent a malformed message', { why: seen });
