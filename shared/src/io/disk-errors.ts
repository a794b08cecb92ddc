import { statfsSync } from 'node:fs';
import { MusterError } from '../errors.ts';
import { formatBytes } from '../quantities.ts';

/** A write: where, and how much. */
export interface Write {
  readonly path: string;
  readonly bytes: number;
}

/** The `code` of a system error: `ENOENT`, `EADDRINUSE`, ...; '' for anything else. */
export function systemCodeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : '';
  return typeof code === 'string' ? code : '';
}

export const isDiskFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(systemCodeOf(error));

/** What this account may still write to the disk of a directory. */
export function freeBytesIn(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** Calls `run`; ENOSPC and an exceeded quota become DISK_FULL. */
export function withDiskErrors<T>(write: Write, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw diskFull(write, { why: `the disk has no room for ${formatBytes(write.bytes)} more`, cause: error });
  }
}

export const diskFull = ({ path }: Write, { why, cause }: { why: string; cause?: unknown }): MusterError =>
  new MusterError('DISK_FULL', `no room to write ${path}`, {
    why,
    fix: 'free space on that disk, or start with --state on a larger one or with a larger --max-disk',
    ...(cause === undefined ? {} : { cause }),
  });
