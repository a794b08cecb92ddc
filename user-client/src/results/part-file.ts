import { MusterError } from '@muster/shared';
import { closeSync, ftruncateSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileError } from '../file-error.ts';

/**
 * A result file in the making: the bytes go to a temporary file beside it, which is renamed once complete. A reader sees the whole result
 * or none, and an older result stays until then.
 */
export class PartFile {
  readonly path: string;
  readonly #partPath: string;
  readonly #fd: number;
  #open = true;

  /** Throws BAD_DATA when the file cannot be written and DISK_FULL when there is no room. */
  constructor(path: string, bytes: number) {
    this.path = path;
    this.#partPath = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
    checkReplaceable(path);
    this.#fd = this.#attempt(() => openSync(this.#partPath, 'w'));
    this.#attempt(() => ftruncateSync(this.#fd, bytes));
  }

  write(bytes: Uint8Array, position: number): void {
    this.#attempt(() => {
      for (let done = 0; done < bytes.length;)
        done += writeSync(this.#fd, bytes, done, bytes.length - done, position + done);
    });
  }

  complete(): void {
    this.#attempt(() => {
      this.#close();
      renameSync(this.#partPath, this.path);
    });
  }

  /** No effect on a complete file. */
  discard(): void {
    this.#close();
    rmSync(this.#partPath, { force: true });
  }

  #close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }

  #attempt<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw fileError(error, `${this.path} cannot be written`);
    }
  }
}

/** The last step is a rename, which would replace a device and fails on a directory. Throws BAD_DATA for both. */
function checkReplaceable(path: string): void {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there === undefined || there.isFile()) return;
  throw new MusterError('BAD_DATA', `${path} cannot be written`, {
    why: there.isDirectory() ? 'it is a directory' : 'it is not a regular file',
    fix: `give a file name: --out ${join(path, 'result')}`,
  });
}
