/**
 * Spare files, ready to be overwritten. Filling a new file needs fresh page-cache memory, which in a virtual machine costs up to 2.5 ms for
 * each MiB because the host must provide it first; overwriting a file whose pages are cached costs 0.08 ms. So the owner of a store keeps a
 * stock of files of recently used sizes, made while it is idle, and a writer of a new file takes a spare one of exactly its size if there
 * is one.
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
      // Another process took it first.
    }
  }
  return false;
}

/** Writes a new file in a folder of the store, over a spare one of this size if there is one. */
export function writeOverSpare(directory: string, path: string, bytes: Uint8Array): void {
  if (takeSpare(directory, bytes.length, path)) overwriteFile(path, bytes);
  else writeNewFile(path, bytes);
}

/** Twice the results of one training round on the largest number of nodes. */
const GIVEN_MAX = 128;

/** Keeps a file that is no longer needed for the next one of its size, or deletes it if there are enough of them. */
export function giveSpare(directory: string, bytes: number, path: string): void {
  const folder = spareFolder(directory, bytes);
  const held = namesIn(folder).length;
  if (held >= GIVEN_MAX || bytes * held > STOCK_BYTES_MAX) return rmSync(path, { force: true });
  if (moved(path, folder)) return;
  makeFolder(directory, folder);
  moved(path, folder);
}

/** False if the file or the folder does not exist. Deletes the file if the disk is full. */
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

/** Twice the number of sizes that one training run gives back: results of steps and of evaluations, model, weights. */
const SIZES_MAX = 8;

/** Deletes the sizes that have been unused for longest. */
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
/** Free disk space left to other uses. */
const ROOM_BYTES = STOCK_BYTES_MAX;
/** Smaller files are cheap either way. */
const FILE_BYTES_MIN = 2 ** 18;
const STEP = new Uint8Array(2 ** 18);

interface Unfinished {
  readonly file: number;
  readonly bytes: number;
  written: number;
}

/** The owner's side: is told which sizes were used, and makes as many files again while idle. */
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

  /** Writes a quarter of a MiB. False when the stock is complete or the disk is full. */
  step(): boolean {
    this.#resting = true;
    this.#unfinished ??= this.#begin();
    if (this.#unfinished === null) return false;
    if (!this.#extend(this.#unfinished)) return false;
    if (this.#unfinished.written >= this.#unfinished.bytes) this.#finish(this.#unfinished);
    return true;
  }

  /** False if the disk is full: the stock is then deleted to free its room. */
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

  /** Drops a size that the latest work did not use. */
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
