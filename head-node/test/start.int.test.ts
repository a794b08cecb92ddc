/** A head whose last part does not open: whatever it had opened before is closed, and the next one can start. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { silentLogger } from '@muster/shared';
import { freePortBase, skipBecause, TemporaryDirectories, waitUntil } from '@muster/shared/testkit';
import type * as HeadNodeModule from '../src/head-node.ts';

/** As it was built: the head starts compiled processes beside it. */
const built = join(import.meta.dirname, '../dist/head-node.js');
const { startHeadNode } = (await import(built)) as typeof HeadNodeModule;

const directories = new TemporaryDirectories();
const taken = createServer();

beforeAll(async () => {
  process.env['XDG_STATE_HOME'] = directories.make();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  taken.close();
  directories.removeAll();
});

/** Names of the scripts that run below this process. */
function children(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const parent = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1];
        return parent === String(process.pid) ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8')] : [];
      } catch {
        return [];
      }
    })
    .filter((line) => line.includes('-main.js'));
}

const onLinux = process.platform === 'linux' ? test : skipBecause('/proc tells which processes there are');

onLinux(
  'a taken HTTP port leaves no process, no lock and no socket behind',
  async () => {
    const place = { portBase: await freePortBase(), stateDirectory: directories.make(), logger: silentLogger };
    const { port } = taken.address() as AddressInfo;
    await expect(startHeadNode({ ...place, httpPort: port })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await waitUntil(() => children().length === 0, { what: 'the processes of the head to end' });
    const head = await startHeadNode({ ...place, httpPort: null });
    expect(children()).toHaveLength(2);
    await head.stop();
    expect(children()).toEqual([]);
  },
  30_000,
);
