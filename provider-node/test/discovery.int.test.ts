/** mDNS over the loopback interface and a port of the test's own: nothing of it reaches a network. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { newKeyPair, readJoinToken, writeJoinToken, type FoundHead, type JoinToken } from '@muster/shared';
import { announce, discoverHeads } from '@muster/shared/io';
import { freePortBase, hasMulticast, skipBecause } from '@muster/shared/testkit';
import { discoverFor, headLines } from '../src/discovery.ts';

const networkTest = (await hasMulticast()) ? test : skipBecause('no multicast over the loopback interface');
let mdns: { readonly interface: string; readonly port: number };
const ends: (() => Promise<void>)[] = [];
const [ours, theirs] = [newKeyPair().publicKey, newKeyPair().publicKey];
const fail = (error: Error): void => {
  throw error;
};

beforeAll(async () => {
  mdns = { interface: '127.0.0.1', port: await freePortBase() };
});
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});
afterAll(() => expect(ends).toEqual([]));

async function head(cluster: string, headKey: string, portBase = 5555): Promise<void> {
  ends.push(await announce({ cluster, headKey, hosts: ['192.0.2.1'], portBase }, fail, mdns));
}

const tokenOf = (headKey: string): string => {
  const token: JoinToken = {
    id: '00000000000000aa',
    secret: '0123456789abcdef0123456789abcdef',
    role: 'provider',
    expiresWallMs: 0,
    headKey,
    endpoints: [],
  };
  return writeJoinToken(token);
};

const names = (heads: readonly FoundHead[]): string[] => heads.map(({ cluster }) => cluster).toSorted();

describe('heads on this network', () => {
  networkTest('are all seen, each as itself', async () => {
    await head('quiet-otter', ours);
    await head('loud-lynx', theirs, 6000);
    const seen = new Set<string>();
    const until = ({ cluster }: FoundHead): boolean => seen.add(cluster).size === 2;
    const heads = await discoverHeads({ withinMs: 10_000, until }, mdns);
    expect(names(heads)).toEqual(['loud-lynx', 'quiet-otter']);
    expect(heads.find(({ cluster }) => cluster === 'loud-lynx')?.endpoints[0]).toEqual({
      host: '192.0.2.1',
      portBase: 6000,
    });
    expect(headLines(heads).join('\n')).toMatch(/loud-lynx\s+[\da-f]{16}\s+6000\s+192\.0\.2\.1/);
  });

  networkTest('that have gone are seen no more', async () => {
    await head('quiet-otter', ours);
    expect(names(await discoverHeads({ withinMs: 10_000, until: () => true }, mdns))).toEqual(['quiet-otter']);
    await ends.pop()?.();
    expect(await discoverHeads({ withinMs: 700 }, mdns)).toEqual([]);
  });

  networkTest('leave a token that is of another cluster alone', async () => {
    await head('loud-lynx', theirs);
    await head('quiet-otter', ours, 6000);
    const said: string[] = [];
    const found = await discoverFor(tokenOf(ours), (line) => void said.push(line), mdns);
    expect(found[0]).toEqual({ host: '192.0.2.1', portBase: 6000 });
    expect(found.every(({ portBase }) => portBase === 6000)).toBe(true);
    expect(said.at(-1)).toMatch(/^found it at 192\.0\.2\.1/);
  });

  networkTest('that are none of the token are said, and none is tried', async () => {
    await head('loud-lynx', theirs);
    const said: string[] = [];
    expect(await discoverFor(tokenOf(ours), (line) => void said.push(line), mdns)).toEqual([]);
    expect(said.at(-1)).toBe('it does not announce itself (others do: loud-lynx); trying the addresses in the token');
  });
});

test('a line that is no token is refused before anybody is asked', async () => {
  const said: string[] = [];
  await expect(discoverFor('MUSTER1-abc', (line) => void said.push(line), mdns)).rejects.toMatchObject({
    code: 'TOKEN_INVALID',
  });
  expect(said).toEqual([]);
  expect(readJoinToken(tokenOf(ours)).endpoints).toEqual([]);
});

test('where nobody announces himself, people are told what works', () => {
  expect(headLines([])).toEqual([expect.stringContaining('--head HOST')]);
});
