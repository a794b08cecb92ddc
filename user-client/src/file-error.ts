import { isMusterError, MusterError } from '@muster/shared';
import { systemCodeOf } from '@muster/shared/io';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  EACCES: 'the permission is missing',
  EPERM: 'the permission is missing',
  EROFS: 'the file system is read-only',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
};

/** An operating system's error about a file, as DISK_FULL or BAD_DATA. A Muster error is returned unchanged. */
export function fileError(error: unknown, what: string): MusterError {
  if (isMusterError(error)) return error;
  const code = systemCodeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new MusterError('DISK_FULL', what, {
      why: 'the disk is full',
      fix: 'make room, or write to another disk',
      cause: error,
    });
  }
  const seen = error instanceof Error ? error.message : String(error);
  return new MusterError('BAD_DATA', what, {
    why: REASONS[code] ?? seen,
    fix: 'check the path with ls -l',
    cause: error,
  });
}
