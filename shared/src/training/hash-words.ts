const { imul } = Math;

/** MurmurHash3's 32-bit finalizer: every bit of the input reaches every bit of the output. */
export function mixWord(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = imul(mixed, 0x85ebca6b);
  mixed = imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** A seed from whole numbers; their order counts, and numbers up to 2^53 count in full. */
export function hashWords(...words: readonly number[]): number {
  let hash = words.length;
  for (const word of words) {
    hash = mixWord(imul(hash, 0x9e3779b1) + (word >>> 0));
    hash = mixWord(imul(hash, 0x9e3779b1) + Math.floor(word / 2 ** 32));
  }
  return hash;
}
