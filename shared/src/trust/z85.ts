/** Z85 (ZeroMQ RFC 32): how ZeroMQ writes CURVE keys, 32 bytes as 40 characters. */
const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';
const BASE = 85;
const DIGITS_PER_WORD = 5;

/** `bytes` are a multiple of four. */
export function encodeZ85(bytes: Uint8Array): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  for (let at = 0; at < view.length; at += 4) text += wordOf(view.readUInt32BE(at));
  return text;
}

function wordOf(value: number): string {
  let word = '';
  for (let rest = value, left = DIGITS_PER_WORD; left > 0; left -= 1) {
    word = DIGITS.charAt(rest % BASE) + word;
    rest = Math.floor(rest / BASE);
  }
  return word;
}

/** Null if `text` is not Z85. */
export function decodeZ85(text: string): Buffer | null {
  if (text.length % DIGITS_PER_WORD !== 0) return null;
  const bytes = Buffer.alloc((text.length / DIGITS_PER_WORD) * 4);
  for (let at = 0; at < text.length; at += DIGITS_PER_WORD) {
    const value = valueOf(text.slice(at, at + DIGITS_PER_WORD));
    if (value === null) return null;
    bytes.writeUInt32BE(value, (at / DIGITS_PER_WORD) * 4);
  }
  return bytes;
}

function valueOf(word: string): number | null {
  let value = 0;
  for (const digit of word) {
    const worth = DIGITS.indexOf(digit);
    if (worth < 0) return null;
    value = value * BASE + worth;
  }
  return value < 2 ** 32 ? value : null;
}
