import { closeSync, mkdirSync, openSync, readdirSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isMusterError, MusterError } from '../errors.ts';
import { isBlockId, type BlockId } from '../ids.ts';
import { formatBytes } from '../quantities.ts';
import { diskFull, systemCodeOf, withDiskErrors } from './disk-errors.ts';
import { hashAt } from './hash-file.ts';
import { PartialBlocks, type BlockChunk } from './partial-blocks.ts';
import { giveSpare } from './spare-files.ts';
import { blockPath, incomingPath } from './store-paths.ts';
import { writeNewFile } from './write-pieces.ts';

export interface BlockStoreOptions {
  readonly directory: string;
  /** Bound of complete and partial blocks together. */
  readonly maxBytes: number;
  /** Says which files in `incoming` stay when the store is opened; default none. */
  readonly keepIncoming?: (name: string) => boolean;
  /** Whether unpinned partial blocks may be dropped to make room: one whose sender is gone may never be completed. Default false. */
  readonly dropsPartial?: boolean;
}

interface StoredBlock {
  readonly bytes: number;
  /** False until its hash is verified, for a block found at start: a power failure may have left a file without its content. */
  checked: boolean;
}

/**
 * Content-addressed files with LRU eviction, and a folder `incoming` for files that are being written. A file gets its final name by a
 * rename when it is complete, so no reader sees half a block; peers on the same host read and write by path. Blocks are not fsynced: they
 * can be sent again, and one damaged by a power failure is detected by its hash at first use. Calls are synchronous: they move at most a
 * block between memory and the page cache (4 to 17 GB/s).
 */
export class BlockStore {
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #dropsPartial: boolean;
  /** The least recently used first. */
  readonly #blocks = new Map<BlockId, StoredBlock>();
  /** A block may be pinned before its bytes arrive. */
  readonly #pins = new Map<BlockId, number>();
  readonly #partials: PartialBlocks;
  #blockBytes = 0;

  private constructor({ directory, maxBytes, dropsPartial = false }: BlockStoreOptions) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.#dropsPartial = dropsPartial;
    this.#partials = new PartialBlocks((id) => this.incomingPath(`${id}.part`));
  }

  /** Call before any peer may write: files in `incoming` are deleted unless `keepIncoming` keeps them. */
  static async open(options: BlockStoreOptions): Promise<BlockStore> {
    const { directory, keepIncoming = () => false } = options;
    mkdirSync(join(directory, 'incoming'), { recursive: true, mode: 0o700 });
    dropExcept(join(directory, 'incoming'), keepIncoming);
    for (const folder of FOLDERS) mkdirSync(join(directory, 'blocks', folder), { recursive: true, mode: 0o700 });
    const store = new BlockStore(options);
    store.#scan();
    return store;
  }

  get usedBytes(): number {
    return this.#blockBytes + this.#partials.bytes;
  }

  pathOf(id: BlockId): string {
    return blockPath(this.#directory, id);
  }

  /** Where files are written before they are renamed to their places. */
  get incomingDirectory(): string {
    return join(this.#directory, 'incoming');
  }

  incomingPath(name: string): string {
    return incomingPath(this.#directory, name);
  }

  incomingNames(): string[] {
    return readdirSync(this.incomingDirectory);
  }

  has(id: BlockId): boolean {
    return this.#checked(id) !== undefined;
  }

  bytesOf(id: BlockId): number | undefined {
    return this.#checked(id)?.bytes;
  }

  touch(id: BlockId): void {
    const block = this.#blocks.get(id);
    if (block === undefined) return;
    this.#blocks.delete(id);
    this.#blocks.set(id, block);
  }

  /** Takes in a file that a peer of the same account renamed to `pathOf(id)`; false if there is no file of that length. */
  adopt(id: BlockId, bytes: number): boolean {
    if (this.has(id)) return true;
    if (lengthOf(this.pathOf(id)) !== bytes) return false;
    try {
      this.#makeRoom({ path: this.pathOf(id), bytes });
    } catch (error) {
      rmSync(this.pathOf(id), { force: true });
      throw error;
    }
    this.#add(id, { bytes, checked: true });
    return true;
  }

  /** Stores one chunk. Throws BAD_DATA if the completed block does not match its id; its chunks are then dropped. */
  receive(chunk: BlockChunk): 'partial' | 'complete' {
    const { id, total } = chunk;
    if (this.has(id)) return 'complete';
    if (!this.#partials.has(id)) this.#makeRoom({ path: this.pathOf(id), bytes: total });
    if (!this.#writeChunk(chunk)) return 'partial';
    renameSync(this.#partials.finish(id), this.pathOf(id));
    this.#add(id, { bytes: total, checked: true });
    return 'complete';
  }

  /** Trusts the caller that `id` is the hash of `bytes`. */
  put(id: BlockId, bytes: Uint8Array): void {
    this.touch(id);
    if (this.has(id)) return;
    const write = { path: this.pathOf(id), bytes: bytes.length };
    this.#makeRoom(write);
    const path = this.incomingPath(`${id}.put`);
    withDiskErrors(write, () => writeNewFile(path, bytes));
    renameSync(path, this.pathOf(id));
    this.#add(id, { bytes: bytes.length, checked: true });
  }

  /** At most `length` bytes from `offset`, fewer at the block's end; in fresh memory, which may be sent without a copy. */
  read(id: BlockId, offset: number, length: number): Buffer {
    const bytes = this.bytesOf(id);
    if (bytes === undefined) throw this.#missing(id);
    return this.readInto(id, offset, Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, bytes - offset))));
  }

  /** As `read`, but into memory that the caller reuses; returns the part that was filled. */
  readInto(id: BlockId, offset: number, into: Buffer): Buffer {
    if (!this.has(id)) throw this.#missing(id);
    this.touch(id);
    let file: number;
    try {
      file = openSync(this.pathOf(id), 'r');
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
      this.#forget(id);
      throw this.#missing(id);
    }
    try {
      return into.subarray(0, readSync(file, into, 0, into.length, offset));
    } finally {
      closeSync(file);
    }
  }

  /** A pinned block is not evicted until it has been unpinned as many times. */
  pin(id: BlockId): void {
    this.#pins.set(id, (this.#pins.get(id) ?? 0) + 1);
  }

  unpin(id: BlockId): void {
    const pins = this.#pins.get(id) ?? 0;
    if (pins > 1) this.#pins.set(id, pins - 1);
    else this.#pins.delete(id);
  }

  /** Also drops the chunks received of it so far. */
  remove(id: BlockId): void {
    this.#partials.drop(id);
    if (this.#blocks.has(id)) this.#evict(id);
  }

  /**
   * Makes the file of a block that is no longer needed a spare file, which the next block of its size overwrites: readers must have been
   * told. No effect on a pinned block.
   */
  recycle(id: BlockId): void {
    const block = this.#blocks.get(id);
    if (block === undefined || this.#pins.has(id)) return;
    giveSpare(this.#directory, block.bytes, this.pathOf(id));
    this.#forget(id);
  }

  /** The same for a file in `incoming`. */
  recycleIncoming(name: string): void {
    const path = this.incomingPath(name);
    const bytes = lengthOf(path);
    if (bytes !== undefined) giveSpare(this.#directory, bytes, path);
  }

  #writeChunk(chunk: BlockChunk): boolean {
    try {
      return withDiskErrors({ path: this.pathOf(chunk.id), bytes: chunk.total }, () => this.#partials.write(chunk));
    } catch (error) {
      if (isMusterError(error) && error.code === 'DISK_FULL') this.#partials.drop(chunk.id);
      throw error;
    }
  }

  #scan(): void {
    const found = FOLDERS.flatMap((folder) => readdirSync(join(this.#directory, 'blocks', folder)))
      .filter(isBlockId)
      .map((id) => ({ id, stat: statSync(this.pathOf(id)) }));
    found.sort((a, b) => a.stat.mtimeMs - b.stat.mtimeMs);
    for (const { id, stat } of found) this.#add(id, { bytes: stat.size, checked: false });
    this.#evictUntil(() => this.usedBytes <= this.#maxBytes);
  }

  #checked(id: BlockId): StoredBlock | undefined {
    const block = this.#blocks.get(id);
    if (block === undefined || block.checked) return block;
    block.checked = hashAt(this.pathOf(id)) === id;
    if (block.checked) return block;
    this.#evict(id);
    return undefined;
  }

  #add(id: BlockId, block: StoredBlock): void {
    this.#blocks.set(id, block);
    this.#blockBytes += block.bytes;
  }

  #makeRoom(write: { readonly path: string; readonly bytes: number }): void {
    const fits = (): boolean => this.usedBytes + write.bytes <= this.#maxBytes;
    if (fits()) return;
    if (this.#dropsPartial) this.#dropPartialUntil(fits);
    const kept = this.usedBytes - this.#evictableBytes();
    if (kept + write.bytes <= this.#maxBytes) this.#evictUntil(fits);
    if (fits()) return;
    const [needed, used, max] = [write.bytes, kept, this.#maxBytes].map(formatBytes);
    throw diskFull(write, { why: `${needed} are needed, and ${used} of the store's ${max} are in use by open tasks` });
  }

  #evictableBytes(): number {
    let bytes = 0;
    for (const [id, block] of this.#blocks) if (!this.#pins.has(id)) bytes += block.bytes;
    return bytes;
  }

  #dropPartialUntil(enough: () => boolean): void {
    for (const id of this.#partials.ids()) {
      if (enough()) return;
      if (!this.#pins.has(id)) this.#partials.drop(id);
    }
  }

  #evictUntil(enough: () => boolean): void {
    for (const id of this.#blocks.keys()) {
      if (enough()) return;
      if (!this.#pins.has(id)) this.#evict(id);
    }
  }

  /** Readers that have the file open are not disturbed. Windows refuses to remove such a file: then the block stays for now. */
  #evict(id: BlockId): void {
    try {
      rmSync(this.pathOf(id), { force: true });
    } catch (error) {
      if (['EBUSY', 'EPERM', 'EACCES'].includes(systemCodeOf(error))) return;
      throw error;
    }
    this.#forget(id);
  }

  #forget(id: BlockId): void {
    this.#blockBytes -= this.#blocks.get(id)?.bytes ?? 0;
    this.#blocks.delete(id);
  }

  #missing(id: BlockId): MusterError {
    return new MusterError('BLOCK_MISSING', `block ${id} is not in the store`, { why: `looked in ${this.#directory}` });
  }
}

/** All of them are made at start: peers rename blocks into them. */
const FOLDERS = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, '0'));

function dropExcept(folder: string, keep: (name: string) => boolean): void {
  for (const name of readdirSync(folder)) if (!keep(name)) rmSync(join(folder, name), { recursive: true, force: true });
}

const lengthOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.size;
