import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Directories of one test file; remove them in `afterEach`. */
export class TemporaryDirectories {
  readonly #made: string[] = [];

  make(): string {
    const directory = mkdtempSync(join(tmpdir(), 'muster-test-'));
    this.#made.push(directory);
    return directory;
  }

  removeAll(): void {
    for (const directory of this.#made.splice(0)) rmSync(directory, { recursive: true, force: true });
  }
}
