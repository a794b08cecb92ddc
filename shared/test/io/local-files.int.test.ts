import { afterEach, describe, expect, test } from '@jest/globals';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomically } from '../../src/io/atomic-file.ts';
import { offerStore, provesShared } from '../../src/io/local-files.ts';
import { TemporaryDirectories } from '../../src/testkit/temporary-directories.ts';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

function storeDirectory(): string {
  const directory = directories.make();
  mkdirSync(join(directory, 'incoming'));
  return directory;
}

describe('the proof of a shared store', () => {
  test('holds for whoever reads the probe and writes incoming files, and leaves nothing behind', () => {
    const directory = storeDirectory();
    const offer = offerStore(directory);
    expect(provesShared(offer)).toBe(true);
    expect(readdirSync(join(directory, 'incoming'))).toEqual([]);
    expect(statSync(offer.probe).mode & 0o777).toBe(0o600);
    expect(offerStore(directory).nonce).not.toBe(offer.nonce);
  });

  test('fails without the probe, with another nonce, without incoming, and for paths that are none', () => {
    const offer = offerStore(storeDirectory());
    expect(provesShared({ ...offer, probe: `${offer.probe}x` })).toBe(false);
    expect(provesShared({ ...offer, nonce: offer.nonce.replace(/^./, 'x') })).toBe(false);
    expect(provesShared({ ...offer, nonce: '' })).toBe(false);
    expect(provesShared(offerStore(directories.make()))).toBe(false);
    expect(provesShared({ ...offer, directory: 'relative' })).toBe(false);
    expect(provesShared({ ...offer, probe: offer.directory })).toBe(false);
  });
});

describe('writeFileAtomically', () => {
  test('replaces the file as a whole, mode 0600, and leaves no temporary file', () => {
    const directory = directories.make();
    const path = join(directory, 'identity');
    writeFileSync(path, 'a much longer old content', { mode: 0o644 });
    writeFileAtomically(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['identity']);
  });

  test('a directory that does not exist is an error, and nothing is made', () => {
    const path = join(directories.make(), 'none', 'identity');
    expect(() => writeFileAtomically(path, 'x')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(existsSync(path)).toBe(false);
  });
});
