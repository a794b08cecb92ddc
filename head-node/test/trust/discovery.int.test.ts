/** A head that is found instead of named: what is found is an address, and the key of the token decides as it always does. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { join } from 'node:path';
import {
  endpointsFor,
  readJoinToken,
  silentLogger,
  writeJoinToken,
  type Endpoint,
  type FoundHead,
} from '@muster/shared';
import { announce, enrol, discoverHeads } from '@muster/shared/io';
import { freePortBase, hasMulticast, skipBecause, TemporaryDirectories } from '@muster/shared/testkit';
import { Request } from 'zeromq';
import type * as HeadNodeModule from '../../src/head-node.ts';
import type { HeadNode } from '../../src/head-node.ts';
import { announceHead } from '../../src/trust/announcing.ts';
import { LOCAL_PEER } from '../../src/trust/peer.ts';

/** As it was built: the head starts a compiled process beside it. */
const built = join(import.meta.dirname, '../../dist/head-node.js');
const { startHeadNode } = (await import(built)) as typeof HeadNodeModule;

const networkTest = (await hasMulticast()) ? test : skipBecause('no multicast over the loopback interface');
const directories = new TemporaryDirectories();
const heads: HeadNode[] = [];
const ends: (() => Promise<void>)[] = [];
/** Of the test's own, so that nothing of it reaches a network. */
let mdns: { readonly interface: string; readonly port: number };

beforeAll(async () => {
  process.env['XDG_STATE_HOME'] = directories.make();
  mdns = { interface: '127.0.0.1', port: await freePortBase() };
  for (let count = 0; count < 2; count += 1) {
    const place = { portBase: await freePortBase(), stateDirectory: directories.make(), httpPort: null };
    heads.push(await startHeadNode({ ...place, host: '0.0.0.0', announce: false, logger: silentLogger }));
  }
}, 60_000);

afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

afterAll(async () => {
  await Promise.all(heads.map((head) => head.stop()));
  directories.removeAll();
}, 30_000);

const at = (index: number): HeadNode => heads[index] as HeadNode;
const tokenOf = (head: HeadNode): ReturnType<typeof readJoinToken> =>
  readJoinToken(head.administration.createToken(LOCAL_PEER).token);
/** As one that was made before the head moved: there is no address in it. */
const withoutAddress = (head: HeadNode): string => writeJoinToken({ ...tokenOf(head), endpoints: [] });

async function announced(head: HeadNode, host = '0.0.0.0'): Promise<void> {
  const { portBase } = head.options;
  const keys = { publicKey: tokenOf(head).headKey, secretKey: '' };
  const options = { host, portBase, announce: true, logger: silentLogger };
  ends.push(await announceHead(options, { cluster: head.cluster, keys }, mdns));
}

async function found(line: string, count = 1): Promise<Endpoint[]> {
  const seen = new Set<string>();
  const until = ({ fingerprint }: FoundHead): boolean => seen.add(fingerprint).size === count;
  return endpointsFor(readJoinToken(line), await discoverHeads({ withinMs: 10_000, until }, mdns));
}

networkTest('a token without an address leads to its head, with two on the network', async () => {
  await announced(at(0));
  await announced(at(1));
  for (const head of heads) {
    const line = withoutAddress(head);
    await expect(enrol(Request, line, { name: 'n', provider: 'a'.repeat(16) })).rejects.toMatchObject({
      code: 'TOKEN_INVALID',
    });
    const { membership } = await enrol(Request, line, {
      name: 'n',
      provider: 'a'.repeat(16),
      at: await found(line, 2),
    });
    expect(membership).toMatchObject({ cluster: head.cluster, headKey: tokenOf(head).headKey });
    expect(membership.endpoints[0]?.portBase).toBe(head.options.portBase);
  }
});

networkTest('who announces the head of a token, and is another, gets nothing', async () => {
  const line = withoutAddress(at(0));
  const { portBase } = at(1).options;
  const lie = { cluster: at(0).cluster, headKey: tokenOf(at(0)).headKey, hosts: ['127.0.0.1'], portBase };
  ends.push(await announce(lie, () => undefined, mdns));
  const places = await found(line);
  expect(places[0]).toEqual({ host: '127.0.0.1', portBase });
  const applicant = { name: 'n', provider: 'a'.repeat(16), at: places.slice(0, 1) } as const;
  await expect(enrol(Request, line, applicant)).rejects.toMatchObject({ code: 'WRONG_HEAD' });
  const { members } = at(1).administration.answer(LOCAL_PEER, { action: 'node-ls', arguments: {} }) as {
    readonly members: readonly unknown[];
  };
  expect(members).toHaveLength(1);
});

networkTest('a head on loopback announces nothing, nor one that was told not to', async () => {
  await announced(at(0), '127.0.0.1');
  const options = { host: '0.0.0.0', portBase: 5555, announce: false, logger: silentLogger };
  const keys = { publicKey: tokenOf(at(0)).headKey, secretKey: '' };
  ends.push(await announceHead(options, { cluster: 'quiet-otter', keys }, mdns));
  expect(await discoverHeads({ withinMs: 700 }, mdns)).toEqual([]);
});
