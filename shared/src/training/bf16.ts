/** Values decoded at a time where they are added instead of stored. */
const CHUNK = 1024;

const bitsOf = (values: Float32Array): Uint32Array =>
  new Uint32Array(values.buffer as ArrayBuffer, values.byteOffset, values.length);

/** The upper half of each float32, rounded to nearest even; infinities stay, NaN stays NaN. Little-endian. */
export function encodeBf16(values: Float32Array): Uint8Array {
  const halves = new Uint16Array(values.length);
  roundAll(bitsOf(values), halves);
  return new Uint8Array(halves.buffer);
}

function roundAll(bits: Uint32Array, halves: Uint16Array): void {
  for (let i = 0; i < halves.length; i += 1) {
    const word = bits[i]!;
    const isNaN = (word & 0x7fffffff) > 0x7f800000;
    halves[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}

/** `bytes.length` is 2 * out.length. */
export function decodeBf16(bytes: Uint8Array, out: Float32Array): void {
  widen(halvesOf(bytes), bitsOf(out));
}

/** out[i] += value. */
export function addBf16(bytes: Uint8Array, out: Float32Array): void {
  const halves = halvesOf(bytes);
  const chunk = new Float32Array(CHUNK);
  for (let start = 0; start < out.length; start += CHUNK) {
    const part = out.subarray(start, start + CHUNK);
    widen(halves.subarray(start, start + part.length), bitsOf(chunk));
    for (let i = 0; i < part.length; i += 1) part[i]! += chunk[i]!;
  }
}

function widen(halves: Uint16Array, bits: Uint32Array): void {
  for (let i = 0; i < halves.length; i += 1) bits[i] = halves[i]! << 16;
}

function halvesOf(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / 2);
}
