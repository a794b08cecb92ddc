/** A disk that can be full: a tmpfs of a few MiB. Only root on Linux may mount one. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemCodeOf } from '@muster/shared/io';

const FILLER = 'filler';

/** Why there is none here; undefined when there is. */
export function whyNoSmallDisk(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux has tmpfs';
  return process.getuid?.() === 0 ? undefined : 'only root may mount a small disk';
}

export class SmallDisk {
  readonly path = mkdtempSync(join(tmpdir(), 'muster-disk-'));

  constructor(bytes: number) {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'tmpfs', this.path]);
  }

  /** Somebody else's file takes what is free, but for so many bytes. */
  fill(butBytes = 0): void {
    const { bavail, bsize } = statfsSync(this.path);
    try {
      writeFileSync(join(this.path, FILLER), Buffer.alloc(Math.max(0, bavail * bsize - butBytes)));
    } catch (error) {
      // It is full, as somebody else was writing at the same time.
      if (systemCodeOf(error) !== 'ENOSPC') throw error;
    }
  }

  free(): void {
    rmSync(join(this.path, FILLER), { force: true });
  }

  /** When nobody has a file open there. */
  unmount(): void {
    execFileSync('umount', [this.path]);
    rmdirSync(this.path);
  }
}
