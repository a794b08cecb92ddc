import { isMusterError, type BlockId, type StoreOffer } from '@muster/shared';
import { blockPath, incomingPath, provesShared, withDiskErrors, writeOverSpare } from '@muster/shared/io';
import { closeSync, existsSync, openSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import { sep } from 'node:path';

/**
 * The head's files, for a client on the same machine and account. Calls are synchronous: they move at most 16 MB to or from the page
 * cache, except for the single block of a model or checkpoint.
 */
export class SharedBlocks {
  readonly #directory: string;
  #names = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The block's path if its file exists, whatever its age: the head verifies files that it has not seen. */
  find(id: BlockId): string | null {
    const path = blockPath(this.#directory, id);
    return existsSync(path) ? path : null;
  }

  /** Writes the block and returns its path; '' if that failed, so that it must go over the socket. Throws DISK_FULL. */
  write(id: BlockId, bytes: Uint8Array): string {
    const path = blockPath(this.#directory, id);
    if (statSync(path, { throwIfNoEntry: false })?.size === bytes.length) return path;
    this.#names += 1;
    const incoming = incomingPath(this.#directory, `${id}.${process.pid}-${this.#names}`);
    try {
      withDiskErrors({ path, bytes: bytes.length }, () => writeOverSpare(this.#directory, incoming, bytes));
      renameSync(incoming, path);
      return path;
    } catch (error) {
      return giveUp(incoming, error);
    }
  }

  /** False when the file is missing, too short, or outside the head's store. */
  readInto(path: string, into: Uint8Array): boolean {
    if (!path.startsWith(this.#directory + sep)) return false;
    let file: number;
    try {
      file = openSync(path, 'r');
    } catch {
      return false;
    }
    try {
      return readSync(file, into, 0, into.length, 0) === into.length;
    } finally {
      closeSync(file);
    }
  }
}

/** A head that is starting empties the folder, so the socket is used instead. A full disk is thrown: the socket leads to the same disk. */
function giveUp(incoming: string, error: unknown): '' {
  rmSync(incoming, { force: true });
  if (isMusterError(error)) throw error;
  return '';
}

/** null when the offer is of another machine or account. */
export const openSharedBlocks = (offer: StoreOffer): SharedBlocks | null =>
  provesShared(offer) ? new SharedBlocks(offer.directory) : null;
