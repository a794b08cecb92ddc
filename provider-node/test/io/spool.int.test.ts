import { afterEach, describe, expect, test } from '@jest/globals';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger, type BlockId } from '@muster/shared';
import { TemporaryDirectories, waitUntil } from '@muster/shared/testkit';
import type { HeldWork } from '../../src/core/provider-state.ts';
import { Spool } from '../../src/io/spool.ts';
import { finished } from './link-rig.ts';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

const [a, b] = ['a'.repeat(32), 'b'.repeat(32)] as [BlockId, BlockId];
const work = { dtype: 'float32', rows: [1], columns: 1, depths: [1, 1], a: [a, b], b: [b, b] } as const;

const tile = (lease: number): HeldWork => ({ ...finished(lease, `/store/${lease}`), work, blocks: [a, b] });

test('what was finished and not settled is there in the next life, with the blocks that it read', () => {
  const directory = directories.make();
  const spool = new Spool(directory, silentLogger);
  for (const lease of [1, 2, 2]) spool.put(tile(lease));
  spool.drop(1);
  spool.drop(1);
  expect(new Spool(directory, silentLogger).load()).toEqual([tile(2)]);
});

describe('what is likely to be settled at once', () => {
  const names = (directory: string): string[] => readdirSync(join(directory, 'spool'));

  test('has a file after a while, unless it was', async () => {
    const directory = directories.make();
    const spool = new Spool(directory, silentLogger);
    for (const lease of [1, 2]) spool.putSoon(tile(lease));
    spool.drop(1);
    expect(names(directory)).toEqual([]);
    await waitUntil(() => names(directory).length > 0, { what: 'a file' });
    expect(new Spool(directory, silentLogger).load()).toEqual([tile(2)]);
    spool.drop(2);
    expect(names(directory)).toEqual([]);
  });

  test('has one when the program ends', () => {
    const directory = directories.make();
    const spool = new Spool(directory, silentLogger);
    spool.putSoon(tile(1));
    spool.flush();
    expect(names(directory)).toEqual(['1.json']);
  });
});

test('what an earlier life left goes when it is settled', () => {
  const directory = directories.make();
  new Spool(directory, silentLogger).put(tile(1));
  const next = new Spool(directory, silentLogger);
  next.load();
  next.drop(1);
  expect(readdirSync(join(directory, 'spool'))).toEqual([]);
});

test('what a crash left half, or another program wrote, is dropped', () => {
  const directory = directories.make();
  const spool = new Spool(directory, silentLogger);
  spool.put(tile(1));
  const files = { '2.json': '{"lease":2,', '3.json': '{"lease":3}', '4.json.new': JSON.stringify(tile(4)) };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, 'spool', name), text);
  expect(spool.load()).toEqual([tile(1)]);
  expect(readdirSync(join(directory, 'spool'))).toEqual(['1.json']);
});
