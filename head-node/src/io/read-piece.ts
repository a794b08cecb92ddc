import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { MusterError } from '@muster/shared';
import { systemCodeOf } from '@muster/shared/io';

export interface Piece {
  readonly offset: number;
  readonly length: number;
}

export interface FilePiece {
  readonly bytes: Buffer;
  /** Length of the whole file. */
  readonly total: number;
}

/** At most `length` bytes from `offset`, in fresh memory, which may be sent without a copy. BLOCK_MISSING where there is no such file. */
export function readPiece(path: string, { offset, length }: Piece): FilePiece {
  const file = found(path, () => openSync(path, 'r'));
  try {
    const total = fstatSync(file).size;
    const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, total - offset)));
    return { bytes: bytes.subarray(0, readSync(file, bytes, 0, bytes.length, offset)), total };
  } finally {
    closeSync(file);
  }
}

export function found<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    throw new MusterError('BLOCK_MISSING', 'a result is not in the store', {
      why: `there is no ${path}`,
      fix: 'submit the task again',
      cause: error,
    });
  }
}
