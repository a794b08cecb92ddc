import { Blake3Hasher } from '@napi-rs/blake-hash';
import { open, type FileHandle } from 'node:fs/promises';
import type { BlockId } from '../ids.ts';
import { systemCodeOf } from './disk-errors.ts';

/** About 1 ms of hashing, which is how long it blocks the event loop. */
const SLICE_BYTES = 8 * 2 ** 20;

export interface HashedFile {
  readonly digest: BlockId;
  readonly bytes: number;
}

/** `hashAt` for large files in a busy event loop: reads asynchronously and hashes slice by slice. Null: no such file. */
export async function hashInSlices(path: string): Promise<HashedFile | null> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    return await hashOpen(file);
  } finally {
    await file.close();
  }
}

async function hashOpen(file: FileHandle): Promise<HashedFile> {
  const hasher = new Blake3Hasher();
  const slice = Buffer.allocUnsafe(Math.min(SLICE_BYTES, (await file.stat()).size + 1));
  for (let bytes = 0; ;) {
    const { bytesRead } = await file.read(slice, 0, slice.length, bytes);
    if (bytesRead === 0) return { digest: hasher.digest('hex').slice(0, 32) as BlockId, bytes };
    hasher.update(slice.subarray(0, bytesRead));
    bytes += bytesRead;
  }
}
