const LENGTH_DELIMITED = 2;
const FIRST_BYTES = 4096;
const encoder = new TextEncoder();

/**
 * Protobuf fields, appended to one growing buffer (https://protobuf.dev/programming-guides/encoding/). A field is its tag (number
 * and wire type) and a varint, or a length and that many bytes.
 */
export class ProtobufWriter {
  #buffer = new Uint8Array(FIRST_BYTES);
  #length = 0;

  whole(field: number, value: number): void {
    this.#varint(field << 3);
    this.#varint(value);
  }

  bytes(field: number, content: Uint8Array): void {
    this.#varint((field << 3) | LENGTH_DELIMITED);
    this.#varint(content.byteLength);
    this.#reserve(content.byteLength);
    this.#buffer.set(content, this.#length);
    this.#length += content.byteLength;
  }

  text(field: number, value: string): void {
    this.bytes(field, encoder.encode(value));
  }

  /**
   * A message within the message: what `write` appends. Its length is known only afterwards, so the content then moves up to
   * make room for it; a model with 100 MB of weights moves three times.
   */
  nested(field: number, write: () => void): void {
    this.#varint((field << 3) | LENGTH_DELIMITED);
    const start = this.#length;
    write();
    const size = this.#length - start;
    const room = varintBytes(size);
    this.#reserve(room);
    this.#buffer.copyWithin(start + room, start, this.#length);
    this.#length = start;
    this.#varint(size);
    this.#length += size;
  }

  /** A copy of what was written so far. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#length);
  }

  /** Seven bits a byte, lowest first. Division instead of shifts: lengths may pass 2^31. */
  #varint(value: number): void {
    this.#reserve(varintBytes(value));
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#buffer[this.#length++] = (rest % 128) | 128;
    this.#buffer[this.#length++] = rest;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.byteLength) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.byteLength));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
