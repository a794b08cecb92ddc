import { describe, expect, test } from '@jest/globals';
import { zeros } from '@muster/shared';
import { MemoryMatrix } from '../../src/operands/matrix-source.ts';
import { RandomMatrix } from '../../src/operands/random-matrix.ts';
import { MemorySink } from '../../src/results/matrix-sink.ts';

describe('MemoryMatrix', () => {
  const matrix = new MemoryMatrix(
    Float32Array.from({ length: 12 }, (_, at) => at),
    { rows: 3, columns: 4 },
  );

  test('copies a block', () => {
    const into = zeros('float32', 4);
    matrix.readBlock([1, 3], [2, 4], into);
    expect([...into]).toEqual([6, 7, 10, 11]);
  });

  test('shows what is packed already without a copy', () => {
    expect([...matrix.view([1, 3], [0, 4])!]).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect([...matrix.view([1, 2], [1, 3])!]).toEqual([5, 6]);
    expect(matrix.view([0, 2], [1, 3])).toBeNull();
  });

  test('refuses a wrong number of elements and a type that is not multiplied', () => {
    expect(() => new MemoryMatrix(new Float32Array(5), { rows: 2, columns: 3 })).toThrow(
      expect.objectContaining({ code: 'SHAPE_MISMATCH' }),
    );
    expect(() => new MemoryMatrix(new Int32Array(6), { rows: 2, columns: 3 })).toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    );
  });
});

describe('RandomMatrix', () => {
  test('is the same however it is cut', () => {
    const shaped = { rows: 7, columns: 70_000, dtype: 'float64' as const };
    const whole = zeros('float64', 7 * 70_000);
    new RandomMatrix(5, shaped).readBlock([0, 7], [0, 70_000], whole);
    const part = zeros('float64', 2 * 5);
    new RandomMatrix(5, shaped).readBlock([4, 6], [65_534, 65_539], part);
    const expected = [4, 5].flatMap((row) => [...whole.subarray(row * 70_000 + 65_534, row * 70_000 + 65_539)]);
    expect([...part]).toEqual(expected);
  });

  test('differs by seed and by row, and fills its range', () => {
    const read = (seed: number, dtype: 'float32' | 'int8'): number[] => {
      const into = zeros(dtype, 2000);
      new RandomMatrix(seed, { rows: 2, columns: 1000, dtype }).readBlock([0, 2], [0, 1000], into);
      return [...into];
    };
    expect(read(1, 'float32')).not.toEqual(read(2, 'float32'));
    expect(read(1, 'float32').slice(0, 1000)).not.toEqual(read(1, 'float32').slice(1000));
    expect(Math.min(...read(1, 'int8'))).toBeLessThan(-120);
    expect(Math.max(...read(1, 'int8'))).toBeGreaterThan(120);
    expect(Math.max(...read(1, 'float32').map(Math.abs))).toBeLessThanOrEqual(1);
  });
});

describe('MemorySink', () => {
  test('places tiles into the array that it was given', () => {
    const into = new Float32Array(6);
    const sink = new MemorySink({ rows: 2, columns: 3, dtype: 'float32' }, into);
    sink.place([0, 2], [1, 3], Float32Array.of(1, 2, 3, 4));
    sink.place([0, 2], [0, 1], Float32Array.of(8, 9));
    expect(sink.elements).toBe(into);
    expect([...into]).toEqual([8, 1, 2, 9, 3, 4]);
  });
});
