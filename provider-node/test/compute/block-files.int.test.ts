import { expect, test } from '@jest/globals';
import { skipBecause } from '@muster/shared/testkit';
import { existsSync } from 'node:fs';
import { createTileFile } from '../../src/compute/block-files.ts';

/** Takes no byte. */
const FULL = '/dev/full';
const fullTest = existsSync(FULL) ? test : skipBecause(`there is no ${FULL} here`);

fullTest('a tile for which the disk has no room says so', () => {
  const file = createTileFile(FULL, 8);
  const noRoom = expect.objectContaining({ code: 'DISK_FULL', message: `no room to write ${FULL}` });
  expect(() => file.write(new Uint8Array(8))).toThrow(noRoom);
  file.close();
});
