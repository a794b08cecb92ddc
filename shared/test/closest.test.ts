import { expect, test } from '@jest/globals';
import { closestOf } from '@muster/shared';
import { table } from '@muster/shared';

test.each([
  ['matrix_mul', 'matrix_mult'],
  ['Matrix-Mult', 'matrix_mult'],
  ['ehco', 'echo'],
  ['train', undefined],
  ['', undefined],
])('%s was meant as %s', (text, meant) => {
  expect(closestOf(text, ['matrix_mult', 'echo'])).toBe(meant);
});

test('a table has columns as wide as their widest cell', () => {
  const rows = [
    ['NAME', 'DONE'],
    ['a', '10'],
    ['longer', '7'],
  ];
  expect(table(rows, new Set([1]))).toEqual(['NAME    DONE', 'a         10', 'longer     7']);
});
