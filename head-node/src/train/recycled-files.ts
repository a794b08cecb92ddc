import { linkSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { overwriteFile, withDiskErrors, writeNewFile } from '@muster/shared/io';

/** Files in use and free ones; a run needs two, and one more where nodes are slow to let go. */
const FILES_MAX = 4;

/**
 * Files of one length that others take over by a rename and drop when they are done with them, as the store does with the weights of a
 * round. Each keeps a second name here, so what the others drop is still there and is written over for the next: fresh pages take up to 2.5 ms
 * for each MiB in a virtual machine, known ones 0.1 ms.
 */
export class RecycledFiles {
  readonly #directory: string;
  readonly #files: string[] = [];

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Writes `bytes`, as long as all others, where there is no file yet. */
  write(target: string, bytes: Uint8Array): void {
    withDiskErrors({ path: target, bytes: bytes.length }, () => {
      const known = this.#free();
      if (known === undefined) this.#writeNew(target, bytes);
      else this.#writeOver(known, { target, bytes });
    });
  }

  /** Their second names; what others hold stays. */
  drop(): void {
    for (const path of this.#files.splice(0)) rmSync(path, { force: true });
  }

  /** Nobody else has a name for it. */
  #free(): string | undefined {
    return this.#files.find((path) => statSync(path).nlink === 1);
  }

  #writeOver(path: string, { target, bytes }: { target: string; bytes: Uint8Array }): void {
    overwriteFile(path, bytes);
    linkSync(path, target);
  }

  #writeNew(target: string, bytes: Uint8Array): void {
    writeNewFile(target, bytes);
    if (this.#files.length >= FILES_MAX) return;
    const path = join(this.#directory, `weights.${this.#files.length}`);
    if (linked(target, path)) this.#files.push(path);
  }
}

/** Some file systems know one name for a file; then each one is new. */
function linked(existing: string, path: string): boolean {
  try {
    rmSync(path, { force: true });
    linkSync(existing, path);
    return true;
  } catch {
    return false;
  }
}
