import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bytesOf, npyHeader, seededRandom, zeros, type Elements } from '@muster/shared';
import { randomMatrix } from '@muster/shared/testkit';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryMatrix, NpyMatrixFile, NpyResultFile } from '../../src/index.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'npy-files-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

interface Stored {
  readonly rows: number;
  readonly columns: number;
  readonly fortran?: boolean;
}

/** Writes a random float64 matrix and returns its elements row by row. */
function write(path: string, { rows, columns, fortran = false }: Stored): Elements<'float64'> {
  const elements = randomMatrix('float64', rows * columns, seededRandom(3));
  const stored = fortran ? elements.map((_, at) => elements[(at % rows) * columns + Math.floor(at / rows)]!) : elements;
  const header = npyHeader('float64', [rows, columns]);
  if (fortran)
    header.write(header.toString('latin1').replace("'fortran_order': False", "'fortran_order': True "), 'latin1');
  writeFileSync(path, Buffer.concat([header, bytesOf(stored)]));
  return elements;
}

describe('NpyMatrixFile', () => {
  test.each([
    ['kept in memory', { rows: 30, columns: 40 }],
    ['kept in memory, Fortran order', { rows: 30, columns: 40, fortran: true }],
    // 34 MB: over the size that is kept.
    ['read block by block', { rows: 2100, columns: 2000 }],
    ['read block by block, Fortran order', { rows: 2100, columns: 2000, fortran: true }],
  ])('%s', (_name, stored) => {
    const path = join(directory, 'A.npy');
    const elements = write(path, stored);
    const file = NpyMatrixFile.open(path);
    const memory = new MemoryMatrix(elements, stored);
    expect(file).toMatchObject({ rows: stored.rows, columns: stored.columns, dtype: 'float64' });
    for (const [rows, columns] of [
      [
        [3, 20],
        [5, 30],
      ],
      [
        [0, 7],
        [0, stored.columns],
      ],
      [
        [0, stored.rows],
        [11, 12],
      ],
    ] as const) {
      const [expected, read] = [
        zeros('float64', (rows[1] - rows[0]) * (columns[1] - columns[0])),
        zeros('float64', (rows[1] - rows[0]) * (columns[1] - columns[0])),
      ];
      memory.readBlock(rows, columns, expected);
      file.readBlock(rows, columns, read);
      expect(Buffer.compare(bytesOf(read), bytesOf(expected))).toBe(0);
    }
    file.close();
  });

  test.each([
    ['missing', () => undefined, /no such file/],
    ['a directory', (path: string) => mkdirSync(path), /directory/],
    ['not npy', (path: string) => writeFileSync(path, 'hello'), /starts with/],
    ['truncated', (path: string) => writeFileSync(path, npyHeader('float32', [4, 4])), /need 192 bytes/],
  ])('%s: BAD_DATA', (_name, make, why) => {
    const path = join(directory, 'A.npy');
    make(path);
    expect(() => NpyMatrixFile.open(path)).toThrow(
      expect.objectContaining({ code: 'BAD_DATA', exit: 65, why: expect.stringMatching(why) }),
    );
  });
});

describe('NpyResultFile', () => {
  test.each([
    ['put together in memory', 100],
    // 66 MB: tiles are written to their places.
    ['written tile by tile', 33_000],
  ])('%s', (_name, rows) => {
    const path = join(directory, 'C.npy');
    const elements = randomMatrix('float32', rows * 500, seededRandom(4));
    const whole = new MemoryMatrix(elements, { rows, columns: 500 });
    const file = new NpyResultFile(path, { rows, columns: 500, dtype: 'float32' });
    for (const columns of [
      [250, 500],
      [0, 250],
    ] as const) {
      const tile = zeros('float32', rows * 250);
      whole.readBlock([0, rows], columns, tile);
      file.place([0, rows], columns, tile);
    }
    expect(readdirSync(directory)).not.toContain('C.npy');
    file.complete();
    file.discard();
    expect(readdirSync(directory)).toEqual(['C.npy']);
    expect(
      Buffer.compare(readFileSync(path), Buffer.concat([npyHeader('float32', [rows, 500]), bytesOf(elements)])),
    ).toBe(0);
  });

  test('a discarded one leaves what was there', () => {
    const path = join(directory, 'C.npy');
    writeFileSync(path, 'old');
    new NpyResultFile(path, { rows: 2, columns: 2, dtype: 'float32' }).discard();
    expect(readdirSync(directory)).toEqual(['C.npy']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  test.each([
    ['no/such/C.npy', /no such file or directory/],
    ['.', /is a directory/],
  ])('%s cannot be written', (name, why) => {
    const path = join(directory, name);
    expect(() => new NpyResultFile(path, { rows: 2, columns: 2, dtype: 'float32' })).toThrow(
      expect.objectContaining({ code: 'BAD_DATA', why: expect.stringMatching(why) }),
    );
  });

  test('a device is not replaced', () => {
    expect(() => new NpyResultFile('/dev/null', { rows: 2, columns: 2, dtype: 'float32' })).toThrow(
      expect.objectContaining({ why: expect.stringMatching(/not a regular file/) }),
    );
  });
});
