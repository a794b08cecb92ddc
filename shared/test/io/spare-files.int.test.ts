import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { giveSpare, overwriteFile, SpareStock, takeSpare, writeOverSpare } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';

const MIB = 2 ** 20;
const directories = new TemporaryDirectories();
afterAll(() => directories.removeAll());

function storeDirectory(): string {
  const directory = directories.make();
  mkdirSync(join(directory, 'incoming'));
  return directory;
}

/** To the end, as an idle head does it. */
function restock(stock: SpareStock): void {
  for (let more = true; more;) more = stock.step();
}

const sizesIn = (directory: string): string[] => readdirSync(join(directory, 'spare')).toSorted();

test('as many files as were used are there again, each taken once, and hold what is written over them', () => {
  const directory = storeDirectory();
  const stock = new SpareStock(directory);
  const target = join(directory, 'incoming', 'x');
  expect(takeSpare(directory, MIB, target)).toBe(false);
  stock.used(MIB);
  stock.used(MIB);
  restock(stock);
  expect(takeSpare(directory, MIB, target)).toBe(true);
  overwriteFile(target, new Uint8Array(MIB).fill(7));
  expect(statSync(target).size).toBe(MIB);
  expect(readFileSync(target).every((byte) => byte === 7)).toBe(true);
  expect(takeSpare(directory, MIB, target)).toBe(true);
  expect(takeSpare(directory, MIB, target)).toBe(false);
});

test('what is written over a spare file takes it, and is a new file where there is none', () => {
  const directory = storeDirectory();
  const stock = new SpareStock(directory);
  stock.used(MIB);
  restock(stock);
  for (const value of [3, 4]) {
    const path = join(directory, 'incoming', String(value));
    writeOverSpare(directory, path, new Uint8Array(MIB).fill(value));
    expect(readFileSync(path).every((byte) => byte === value)).toBe(true);
  }
  expect(takeSpare(directory, MIB, join(directory, 'incoming', 'x'))).toBe(false);
});

test('a size that is not used any more makes room for the next', () => {
  const directory = storeDirectory();
  const stock = new SpareStock(directory);
  stock.used(MIB);
  restock(stock);
  stock.used(2 * MIB);
  restock(stock);
  expect(sizesIn(directory)).toEqual([String(2 * MIB)]);
});

test('the stock is bounded, small files are not kept, and clearing leaves nothing', () => {
  const directory = storeDirectory();
  const stock = new SpareStock(directory);
  for (let at = 0; at < 20; at += 1) stock.used(64 * MIB);
  stock.used(1000);
  restock(stock);
  expect(readdirSync(join(directory, 'spare', String(64 * MIB)))).toHaveLength(4);
  stock.clear();
  expect(readdirSync(directory)).toEqual(['incoming']);
});

test('of what is given back, the sizes that nobody used for longest go', () => {
  const directory = storeDirectory();
  for (let bytes = 1; bytes <= 10; bytes += 1) {
    const path = join(directory, 'incoming', String(bytes));
    writeOverSpare(directory, path, new Uint8Array(bytes));
    giveSpare(directory, bytes, path);
    if (bytes < 10) utimesSync(join(directory, 'spare', String(bytes)), bytes, bytes);
  }
  expect(
    sizesIn(directory)
      .map(Number)
      .toSorted((a, b) => a - b),
  ).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
});
