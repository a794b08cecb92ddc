import { afterEach, describe, expect, test } from '@jest/globals';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DirectoryLock, takeAway } from '../../src/io/directory-lock.ts';
import { makeStateDirectory } from '../../src/io/state-directory.ts';
import { TemporaryDirectories } from '../../src/testkit/temporary-directories.ts';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

describe('a state directory', () => {
  test('is made with everything above it, for this account only', () => {
    const directory = join(directories.make(), 'a', 'b');
    makeStateDirectory(directory);
    makeStateDirectory(directory);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  test('below a file is refused', () => {
    const file = join(directories.make(), 'file');
    writeFileSync(file, '');
    for (const directory of [file, join(file, 'a', 'b')])
      expect(() => makeStateDirectory(directory)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

/** The number of no process: Linux gives none above 4,194,304. */
const STALE = '99999999 ';

describe('a lock', () => {
  test('is held by one, and leaves nothing behind', () => {
    const directory = directories.make();
    const lock = DirectoryLock.take(directory);
    expect(() => DirectoryLock.take(directory)).toThrow(expect.objectContaining({ code: 'STATE_IN_USE' }));
    expect(readdirSync(directory)).toEqual(['lock']);
    lock.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('whose owner is gone is taken over', () => {
    const directory = directories.make();
    writeFileSync(join(directory, 'lock'), STALE);
    DirectoryLock.take(directory).release();
    expect(existsSync(join(directory, 'lock'))).toBe(false);
  });

  test('that somebody has taken over meanwhile is left alone', () => {
    const directory = directories.make();
    const path = join(directory, 'lock');
    const lock = DirectoryLock.take(directory);
    const content = readFileSync(path, 'utf8');
    expect(takeAway(path, STALE)).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe(content);
    expect(readdirSync(directory)).toEqual(['lock']);
    lock.release();
  });

  test('that went away by itself is as good as taken away', () => {
    const path = join(directories.make(), 'lock');
    writeFileSync(path, STALE);
    rmSync(path);
    expect(takeAway(path, STALE)).toBe(true);
  });
});
