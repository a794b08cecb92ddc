import { Blake3Hasher } from '@napi-rs/blake-hash';
import { closeSync, openSync, readSync } from 'node:fs';
import type { BlockId } from '../ids.ts';

/** Small enough to be in the second-level cache when it is hashed, and reused: fresh memory would cost 0.4 ms per MB. */
const scratch = Buffer.allocUnsafeSlow(2 ** 18);

/** `blockIdOf` of an open file's bytes. */
export function hashFile(file: number): BlockId {
  const hasher = new Blake3Hasher();
  let offset = 0;
  for (;;) {
    const read = readSync(file, scratch, 0, scratch.length, offset);
    if (read === 0) return hasher.digest('hex').slice(0, 32) as BlockId;
    hasher.update(scratch.subarray(0, read));
    offset += read;
  }
}

/** Undefined when the file cannot be opened. */
export function hashAt(path: string): BlockId | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    return hashFile(file);
  } finally {
    closeSync(file);
  }
}
