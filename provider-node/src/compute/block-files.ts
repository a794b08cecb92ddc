import { takeSpare, withDiskErrors, writePieces } from '@muster/shared/io';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Reads the files one after the other into `target`, which they must fill exactly. Synchronous, because the process has nothing else to
 * do.
 */
export function readBlocks(paths: readonly string[], target: Uint8Array): void {
  let at = 0;
  for (const path of paths) at += readBlock(path, target.subarray(at));
  if (at !== target.length) throw new Error(`the blocks have ${at} bytes, the operand has ${target.length}`);
}

function readBlock(path: string, target: Uint8Array): number {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size > target.length)
      throw new Error(`the block ${path} has ${size} bytes, there is room for ${target.length}`);
    for (let at = 0; at < size;) {
      const got = readSync(file, target, at, size - at, at);
      if (got === 0) throw new Error(`the block ${path} ended at ${at} of ${size} bytes`);
      at += got;
    }
    return size;
  } finally {
    closeSync(file);
  }
}

export interface TileFile {
  write(bytes: Uint8Array): void;
  close(): void;
}

/**
 * A result file of `size` bytes in a store's `incoming` folder, written over a spare file of the store if there is one. Throws DISK_FULL.
 */
export function createTileFile(path: string, size: number): TileFile {
  const spare = takeSpare(dirname(dirname(path)), size, path);
  const file = withDiskErrors({ path, bytes: size }, () => openSync(path, spare ? 'r+' : 'w'));
  let written = 0;
  return {
    write: (bytes) => {
      withDiskErrors({ path, bytes: size }, () => writePieces(file, bytes, written));
      written += bytes.length;
    },
    close: () => closeSync(file),
  };
}
