/**
 * Files that are there already. Filling a new file costs fresh memory for the page cache, in a virtual machine up to 2.5 ms for
 * each MiB, because the host must give it back first; writing over a file whose pages are cached costs 0.08 ms. So the owner of a store
 * keeps a stock of files of the sizes that were used last, made while it is idle, and whoever writes a new file takes one of
 * exactly its size where there is one.
 */
import { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { freeBytesIn, isDiskFull, systemCodeOf } from './disk-errors.ts';
import { incomingPath } from './store-paths.ts';
import { overwriteFile, writeNewFile, writePieces } from './write-pieces.ts';

const spareFolder = (directory: string, bytes: number): string => join(directory, 'spare', String(bytes));

/** Moves a spare file of this size to `target`; false when there is none. */
export function takeSpare(directory: string, bytes: number, target: string): boolean {
  for (const name of namesIn(spareFolder(directory, bytes))) {
    try {
      renameSync(join(spareFolder(directory, bytes), name), target);
      return true;
    } catch {
      // Somebody else was quicker.
    }
  }
  return false;
}

/** A new file of these bytes in a folder of the store, over a spare one where there is one. */
export function writeOverSpare(directory: string, path: string, bytes: Uint8Array): void {
  if (takeSpare(directory, bytes.length, path)) overwriteFile(path, bytes);
  else writeNewFile(path, bytes);
}

/** Enough for the results of one round of a training run on as many nodes as there may be, twice. */
const GIVEN_MAX = 128;

/** A file that nobody needs any more is kept for the next of its size; where there are enough of them, it goes. */
export function giveSpare(directory: string, bytes: number, path: string): void {
  const folder = spareFolder(directory, bytes);
  const held = namesIn(folder).length;
  if (held >= GIVEN_MAX || bytes * held > STOCK_BYTES_MAX) return rmSync(path, { force: true });
  if (moved(path, folder)) return;
  makeFolder(directory, folder);
  moved(path, folder);
}

/** False when the file or the folder is not there. On a full disk the file goes. */
function moved(path: string, folder: string): boolean {
  try {
    renameSync(path, join(folder, basename(path)));
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return false;
    if (!isDiskFull(error)) throw error;
    rmSync(path, { force: true });
  }
  return true;
}

function makeFolder(directory: string, folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  dropOldSizes(directory);
}

/** Of what one training run gives back, twice: results of its steps, of its evaluations, its model and its weights. */
const SIZES_MAX = 8;

/** Nobody asks any more for sizes that were not given or taken for long. */
function dropOldSizes(directory: string): void {
  const folders = namesIn(join(directory, 'spare')).map((name) => join(directory, 'spare', name));
  if (folders.length <= SIZES_MAX) return;
  const byUse = folders.map((path) => ({ path, usedMs: changedMs(path) })).toSorted((a, b) => b.usedMs - a.usedMs);
  for (const { path } of byUse.slice(SIZES_MAX)) rmSync(path, { recursive: true, force: true });
}

const changedMs = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

const STOCK_BYTES_MAX = 256 * 2 ** 20;
/** What is left to others of a disk. */
const ROOM_BYTES = STOCK_BYTES_MAX;
/** Smaller files are cheap either way. */
const FILE_BYTES_MIN = 2 ** 18;
const STEP = new Uint8Array(2 ** 18);

interface Unfinished {
  readonly file: number;
  readonly bytes: number;
  written: number;
}

/** The owner's side: told what was used, it makes as many again while nothing else is to be done. */
export class SpareStock {
  readonly #directory: string;
  /** Files used since work last began, by size. */
  readonly #used = new Map<number, number>();
  #resting = true;
  #made = 0;
  #unfinished: Unfinished | null = null;

  constructor(directory: string) {
    this.#directory = directory;
    this.clear();
  }

  used(bytes: number): void {
    if (this.#resting) this.#used.clear();
    this.#resting = false;
    if (bytes >= FILE_BYTES_MIN) this.#used.set(bytes, (this.#used.get(bytes) ?? 0) + 1);
  }

  /** A quarter of a MiB of work. False when the stock is complete. */
  step(): boolean {
    this.#resting = true;
    this.#unfinished ??= this.#begin();
    if (this.#unfinished === null) return false;
    if (!this.#extend(this.#unfinished)) return false;
    if (this.#unfinished.written >= this.#unfinished.bytes) this.#finish(this.#unfinished);
    return true;
  }

  /** False when somebody else has filled the disk: then the room is worth more than the stock. */
  #extend(unfinished: Unfinished): boolean {
    const { file, bytes, written } = unfinished;
    try {
      writePieces(file, STEP.subarray(0, Math.min(STEP.length, bytes - written)), written);
      unfinished.written += STEP.length;
      return true;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.clear();
      rmSync(this.#workPath, { force: true });
      return false;
    }
  }

  clear(): void {
    if (this.#unfinished !== null) closeSync(this.#unfinished.file);
    this.#unfinished = null;
    this.#used.clear();
    rmSync(join(this.#directory, 'spare'), { recursive: true, force: true });
  }

  #begin(): Unfinished | null {
    const stock = new Map(
      namesIn(join(this.#directory, 'spare')).map((name) => [Number(name), this.#count(Number(name))]),
    );
    for (const bytes of stock.keys()) if (!this.#used.has(bytes)) this.#drop(stock, bytes);
    const stockBytes = [...stock].reduce((sum, [bytes, count]) => sum + bytes * count, 0);
    for (const [bytes, count] of this.#used) {
      if ((stock.get(bytes) ?? 0) >= count || stockBytes + bytes > STOCK_BYTES_MAX) continue;
      if (freeBytesIn(this.#directory) < bytes + ROOM_BYTES) return null;
      mkdirSync(spareFolder(this.#directory, bytes), { recursive: true, mode: 0o700 });
      return { file: openSync(this.#workPath, 'w', 0o600), bytes, written: 0 };
    }
    return null;
  }

  #count(bytes: number): number {
    return namesIn(spareFolder(this.#directory, bytes)).length;
  }

  /** Of a size that the latest work had no use for. */
  #drop(stock: Map<number, number>, bytes: number): void {
    stock.delete(bytes);
    rmSync(spareFolder(this.#directory, bytes), { recursive: true, force: true });
  }

  #finish({ file, bytes }: Unfinished): void {
    closeSync(file);
    this.#unfinished = null;
    this.#made += 1;
    renameSync(this.#workPath, join(spareFolder(this.#directory, bytes), String(this.#made)));
  }

  get #workPath(): string {
    return incomingPath(this.#directory, 'spare');
  }
}
