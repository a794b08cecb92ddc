import { describe, expect, test } from '@jest/globals';
import { dtypes, operandDtypes } from '@muster/shared';
import { assert, constantFrom, integer, property, record } from 'fast-check';
import { cutsOf, sendOrder } from '../../src/operands/block-cut.ts';

const side = integer({ min: 1, max: 20_000 });
const shaped = record({ rows: side, columns: side, dtype: constantFrom(...operandDtypes) });

describe('cutsOf', () => {
  test('the blocks cover the matrix once and are numbered from 0', () => {
    const holds = property(shaped, constantFrom('a' as const, 'b' as const), (matrix, role) => {
      const cuts = cutsOf(role, matrix);
      expect(cuts.map(({ number }) => number)).toEqual([...cuts.keys()]);
      const area = cuts.reduce((sum, cut) => sum + (cut.rows[1] - cut.rows[0]) * (cut.columns[1] - cut.columns[0]), 0);
      expect(area).toBe(matrix.rows * matrix.columns);
      expect(cuts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(area * dtypes[matrix.dtype].bytes);
      expect(new Set(cuts.map((cut) => `${cut.rows[0]},${cut.columns[0]}`)).size).toBe(cuts.length);
    });
    assert(holds, { numRuns: 100 });
  });
});

describe('sendOrder', () => {
  test('the first stripe of B, all of A, the rest of B', () => {
    const a = cutsOf('a', { rows: 1024, columns: 10_000, dtype: 'float32' });
    const b = cutsOf('b', { rows: 10_000, columns: 1024, dtype: 'float32' });
    const order = sendOrder(a, b).map(({ role, number }) => `${role}${number}`);
    expect(order).toEqual([
      'b0',
      'b1',
      ...a.map(({ number }) => `a${number}`),
      ...b.slice(2).map(({ number }) => `b${number}`),
    ]);
  });
});
