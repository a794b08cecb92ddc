/** A field of a protobuf message: a number, or the bytes of a text, a message or packed numbers. */
export interface ProtobufField {
  readonly field: number;
  /** A varint as int64, as ONNX has them; 0n for bytes, and for fixed-width numbers, which are not decoded. */
  readonly whole: bigint;
  readonly bytes: Uint8Array | undefined;
}

const TAG_MAX = 2 ** 32 - 1;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** @throws TypeError unless the bytes are UTF-8 */
export const textOf = (bytes: Uint8Array | undefined): string => decoder.decode(bytes ?? new Uint8Array());

/**
 * The fields of one message, in their order. Bytes are views, so nothing is allocated beyond the file.
 * @throws RangeError if the message is truncated or not protobuf
 */
export function* fieldsOf(bytes: Uint8Array): Generator<ProtobufField> {
  const cursor = new Cursor(bytes);
  while (!cursor.atEnd) {
    const tag = Number(cursor.varint());
    const field = Math.floor(tag / 8);
    if (field === 0 || tag > TAG_MAX) throw new RangeError(`a field has the number ${field}`);
    yield { field, ...contentOf(cursor, tag % 8) };
  }
}

function contentOf(cursor: Cursor, wireType: number): Omit<ProtobufField, 'field'> {
  switch (wireType) {
    case 0:
      return { whole: BigInt.asIntN(64, cursor.varint()), bytes: undefined };
    case 1:
      cursor.take(8);
      return { whole: 0n, bytes: undefined };
    case 2:
      return { whole: 0n, bytes: cursor.take(Number(cursor.varint())) };
    case 5:
      cursor.take(4);
      return { whole: 0n, bytes: undefined };
    default:
      throw new RangeError(`a field has the wire type ${wireType}`);
  }
}

class Cursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.byteLength;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new RangeError('a number has more than ten bytes');
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError('it ends within a number');
    return byte;
  }

  take(count: number): Uint8Array {
    const rest = this.#bytes.byteLength - this.#at;
    if (count > rest) throw new RangeError(`${count} bytes are announced where ${rest} are left`);
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}
