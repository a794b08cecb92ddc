import { afterEach, expect, test } from '@jest/globals';
import { blockIdOf } from '@muster/shared';
import { hashAt, hashInSlices } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const directories = new TemporaryDirectories();

afterEach(() => directories.removeAll());

test.each([0, 1, 8 * 2 ** 20, 8 * 2 ** 20 + 1, 20_000_000])(
  'a file of %d bytes has the hash of its bytes',
  async (length) => {
    const path = join(directories.make(), 'file');
    const bytes = Buffer.alloc(length, 'Muster');
    writeFileSync(path, bytes);
    expect(await hashInSlices(path)).toEqual({ digest: blockIdOf(bytes), bytes: length });
    expect(hashAt(path)).toBe(blockIdOf(bytes));
  },
);

test('no file is null, and anything else that is not one an error', async () => {
  const directory = directories.make();
  expect(await hashInSlices(join(directory, 'none'))).toBeNull();
  await expect(hashInSlices(directory)).rejects.toThrow('EISDIR');
});
