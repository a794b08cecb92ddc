import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { errorKinds, exitCode, limits } from '@muster/shared';

const root = join(import.meta.dirname, '..', '..');

const cellsOf = (row: string): string[] =>
  row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('`', ''));

const tableLines = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('|'));

/** Cells of every table row, header and rule left out, of one section of a page. */
function tableRows(page: string, section: number): string[][] {
  const text = readFileSync(join(root, 'docs', page), 'utf8').split(/^## /m)[section] ?? '';
  return tableLines(text).slice(2).map(cellsOf);
}

describe('docs', () => {
  test('errors.md lists exactly the error codes, with exit status, retry and meaning', () => {
    const expected = Object.entries(errorKinds).map(([code, { exit, retryable, meaning }]) => [
      code,
      String(exit),
      retryable ? 'yes' : 'no',
      meaning,
    ]);
    expect(tableRows('errors.md', 0)).toEqual(expected);
  });

  test('errors.md lists exactly the exit statuses', () => {
    expect(tableRows('errors.md', 1).map(([exit]) => Number(exit))).toEqual(Object.values(exitCode));
  });

  test('the README lists exactly the exit statuses', () => {
    const [, table = ''] = readFileSync(join(root, 'README.md'), 'utf8').split('| exit code |');
    const [list = ''] = table.split('\n\n');
    expect(tableLines(list).map((line) => Number(cellsOf(line)[0]))).toEqual([NaN, ...Object.values(exitCode)]);
  });

  test('limits.md lists exactly the limits, with value and reason', () => {
    const expected = Object.entries(limits).map(([name, { value, unit, reason }]) => [
      name,
      `${value.toLocaleString('en-US')} ${unit}`,
      reason,
    ]);
    expect(tableRows('limits.md', 2)).toEqual(expected);
  });
});
