import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { withDiskErrors } from './disk-errors.ts';

/**
 * Replaces a file as a whole (mode 0600): after a crash or power failure at any moment it has the old content or the new.
 * On disk when this returns. Pieces are written one after the other.
 */
export function writeFileAtomically(path: string, content: string | Uint8Array | readonly Uint8Array[]): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const pieces = Array.isArray(content) ? (content as readonly Uint8Array[]) : [content as string | Uint8Array];
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  try {
    withDiskErrors({ path, bytes }, () => writeThrough(temporary, pieces));
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

function writeThrough(path: string, pieces: readonly (string | Uint8Array)[]): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    for (const piece of pieces) writeFileSync(file, piece);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The rename itself is on disk only with its directory; Windows has no such call and needs none. */
function syncDirectory(path: string): void {
  if (process.platform === 'win32') return;
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
