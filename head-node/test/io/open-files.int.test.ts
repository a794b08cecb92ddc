import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { limits, silentLogger } from '@muster/shared';
import { skipBecause } from '@muster/shared/testkit';
import { openFileLimit, warnOfFewFiles } from '../../src/io/open-files.ts';

const posixTest = process.platform === 'win32' ? skipBecause('Windows has no such limit') : test;

posixTest('tells how many files the process may open', () => {
  // Programs that it starts inherit it.
  const said = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  expect(String(openFileLimit() ?? 'unlimited')).toBe(said);
});

test('warns where that is little, and only there', () => {
  const warnings: object[] = [];
  const logger = { ...silentLogger, warn: (facts: object) => void warnings.push(facts) };
  const { value: wanted } = limits.openFilesWanted;
  for (const limit of [wanted - 1, wanted, null]) warnOfFewFiles(logger, limit);
  expect(warnings).toEqual([{ limit: wanted - 1, wanted }]);
});
