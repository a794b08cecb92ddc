import type { EchoSpec } from './spec.ts';

/**
 * Bytes of the subtasks `indices`, one after the other. Word w of subtask i is a 32-bit mix of both, so that no two subtasks of a task look
 * alike and a byte in the wrong place is detected.
 */
export function echoPayload({ bytes }: EchoSpec, indices: readonly number[]): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  const payload = new Uint8Array(indices.length * bytes);
  const wordBytes = new Uint8Array(words.buffer, 0, bytes);
  indices.forEach((index, position) => {
    fill(words, index);
    payload.set(wordBytes, position * bytes);
  });
  return payload;
}

/**
 * The finalizer of MurmurHash3 (Appleby), over a Weyl sequence started at the index. In the machine's byte order, which does not matter:
 * the head both makes and checks the bytes.
 */
function fill(words: Uint32Array, index: number): void {
  let state = Math.imul(index + 1, 0x9e3779b1);
  for (let at = 0; at < words.length; at++) {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    words[at] = mixed ^ (mixed >>> 16);
  }
}

/** Did these bytes come back unchanged? */
export function checkEcho(spec: EchoSpec, indices: readonly number[], payload: Uint8Array): boolean {
  return payload.length === indices.length * spec.bytes && Buffer.compare(echoPayload(spec, indices), payload) === 0;
}
