/** A node that is revoked while it works: it is out, and what it had is done by others. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { givenAgain, waitUntil, type LocalProgram } from '@muster/shared/testkit';
import { join } from 'node:path';
import { askRunningHead } from '../../src/cli/admin-client.ts';
import type { CreatedToken } from '../../src/trust/administration.ts';
import { FaultRig } from './fault-rig.ts';

let rig: FaultRig;

beforeAll(async () => {
  rig = await FaultRig.start({ providers: 0 });
  const { token } = (await askRunningHead(rig.cluster.cluster.portBase, 'token-create')) as CreatedToken;
  for (const name of ['laptop', 'desktop']) await joined(name, token);
}, 120_000);

afterAll(() => rig.end(), 30_000);

/** As on another machine: what the head leaves for its own account is not found there. */
const elsewhere = {
  inside: (command: readonly string[]) => ['env', `XDG_STATE_HOME=${rig.cluster.folder}`, ...command],
};

async function joined(name: string, token: string): Promise<void> {
  const own = [
    '--name',
    name,
    '--state',
    join(rig.cluster.cluster.directory, name),
    '--device',
    'cpu',
    '--threads',
    '1',
  ];
  const program: LocalProgram = rig.cluster.cluster.launch('provider-node', ['join', token, ...own], elsewhere);
  rig.cluster.cluster.providers.push(program);
  await program.said('joined ', 60_000);
}

test('is gone in less than two seconds, its leases go to the other, and the product is right', async () => {
  const work = await rig.multiply([6144, 3072, 6144], 2);
  const atWork = async (): Promise<string | undefined> =>
    (await rig.observer.task(work.task)).nodes.find(({ name, running }) => name === 'laptop' && running > 0)?.id;
  const id = await waitUntil(atWork, { what: 'the laptop is at work' });
  const sinceMs = Date.now();
  await askRunningHead(rig.cluster.cluster.portBase, 'node-revoke', { id: 'laptop' });
  await waitUntil(async () => (await rig.node(id))?.state === 'lost', { what: 'the laptop is gone' });
  expect(Date.now() - sinceMs).toBeLessThan(2000);
  await rig.expectRight(work);
  await rig.expectOnce(work);
  const again = givenAgain(rig.leasesOf(work.task), { victim: id, sinceMs });
  expect(again.length).toBeGreaterThan(0);
  expect(again[0]).toBeLessThan(2000);
}, 120_000);
