import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { enrol } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Request } from 'zeromq';
import { writeJoinFiles } from '../../src/cli/join-files.ts';
import { TrustRig } from './trust-rig.ts';

const directories = new TemporaryDirectories();
let rig: TrustRig;

beforeAll(async () => {
  rig = await TrustRig.start();
}, 60_000);

afterAll(async () => {
  await rig.stop();
  directories.removeAll();
}, 30_000);

test('each start leaves tokens that let in, and takes back those of the start before', async () => {
  const directory = directories.make();
  for (const program of ['provider', 'client']) mkdirSync(join(directory, program));
  const lineFor = (program: string): string => readFileSync(join(directory, program, 'token'), 'utf8').trim();
  const write = (): string[] => {
    writeJoinFiles(rig.head.administration, directory);
    return [lineFor('provider'), lineFor('client')];
  };
  const [before] = [write(), write()];
  const joined = await enrol(Request, lineFor('provider'), { name: 'node', provider: 'a'.repeat(16) });
  const client = await enrol(Request, lineFor('client'), { name: 'client', provider: '' });
  expect([joined.membership.role, client.membership.role]).toEqual(['provider', 'admin']);
  const late = enrol(Request, before[0]!, { name: 'late', provider: 'b'.repeat(16) });
  await expect(late).rejects.toMatchObject({ code: 'TOKEN_REFUSED', message: 'the join token was revoked' });
  expect(statSync(join(directory, 'provider', 'token')).mode & 0o777).toBe(0o600);
});
