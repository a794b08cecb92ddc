import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { isPublicKey, newKeyPair, sealBetween } from '@muster/shared';
import {
  HandshakeWatch,
  leaveLocalCredential,
  loadKeyPair,
  loadMembership,
  readLocalCredential,
  removeLocalCredential,
  routeToHead,
  saveMembership,
  type HeadRoute,
  type LocalCredential,
  type Membership,
} from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';

const directories = new TemporaryDirectories();
const PORT = 45_123;
const head = newKeyPair();
const ipc = Object.fromEntries(
  ['registration', 'tasks', 'results', 'heartbeats', 'clients'].map((channel) => [channel, `ipc:///x/${channel}`]),
) as NonNullable<LocalCredential['ipc']>;
const local: LocalCredential = { headId: 'a', headKey: head.publicKey, keys: newKeyPair(), ipc };
const membership: Membership = {
  cluster: 'quiet-otter',
  headKey: head.publicKey,
  endpoints: [{ host: '192.0.2.1', portBase: PORT }],
  identity: '00000000000000aa',
  role: 'provider',
  keys: newKeyPair(),
};

let state: string;
let before: string | undefined;

beforeEach(() => {
  state = directories.make();
  before = process.env['XDG_STATE_HOME'];
  process.env['XDG_STATE_HOME'] = state;
});

afterEach(() => {
  if (before === undefined) delete process.env['XDG_STATE_HOME'];
  else process.env['XDG_STATE_HOME'] = before;
  directories.removeAll();
});

describe('a key file', () => {
  test('is made once, for this account only', () => {
    const path = join(state, 'deep', 'key.json');
    const made = loadKeyPair(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(loadKeyPair(path)).toEqual(made);
  });

  test('that others can read is refused', () => {
    const path = join(state, 'key.json');
    loadKeyPair(path);
    chmodSync(path, 0o640);
    expect(() => loadKeyPair(path)).toThrow(
      expect.objectContaining({ code: 'USAGE', why: 'its mode is 640, not 600' }),
    );
  });

  test('that was damaged is not overwritten', () => {
    const path = join(state, 'key.json');
    writeFileSync(path, '{"publicKey": "short"}', { mode: 0o600 });
    expect(() => loadKeyPair(path)).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }));
    expect(readFileSync(path, 'utf8')).toBe('{"publicKey": "short"}');
  });
});

describe('what a head leaves for its own account', () => {
  test('is found by the port and goes with the head that left it', () => {
    expect(readLocalCredential(PORT)).toBeNull();
    leaveLocalCredential(PORT, local);
    expect(readLocalCredential(PORT)).toEqual(local);
    removeLocalCredential(PORT, 'b');
    expect(readLocalCredential(PORT)).toEqual(local);
    removeLocalCredential(PORT, 'a');
    expect(readLocalCredential(PORT)).toBeNull();
  });

  test('leads over its files, or by TCP with its keys', () => {
    leaveLocalCredential(PORT, local);
    const here = { host: '127.0.0.1', portBase: PORT };
    expect(routeToHead({ endpoint: here, wire: false, membership })).toEqual({ addresses: ipc, curve: null, seal: '' });
    expect(routeToHead({ endpoint: here, wire: true, membership })).toMatchObject({
      addresses: { clients: `tcp://127.0.0.1:${PORT + 4}` },
      curve: { curveServerKey: head.publicKey, curvePublicKey: local.keys.publicKey },
      seal: sealBetween(head.secretKey, local.keys.publicKey),
    });
  });

  test('leads to another of its addresses when there is no membership', () => {
    const there = { host: '192.0.2.1', portBase: PORT };
    leaveLocalCredential(PORT, local);
    expect(routeToHead({ endpoint: there, wire: false, membership: null }).curve?.curvePublicKey).toBe(
      local.keys.publicKey,
    );
    expect(routeToHead({ endpoint: there, wire: false, membership }).curve?.curvePublicKey).toBe(
      membership.keys.publicKey,
    );
  });
});

describe('a program without anything', () => {
  const route = (host: string): HeadRoute =>
    routeToHead({ endpoint: { host, portBase: PORT }, wire: false, membership: null });

  test.each(['127.0.0.1', '127.0.0.53', 'localhost', '::1'])('says nothing to whoever listens at %s', (host) => {
    const { curve } = route(host);
    expect(isPublicKey(curve!.curveServerKey)).toBe(true);
    expect([head.publicKey, local.keys.publicKey]).not.toContain(curve!.curveServerKey);
    expect(route(host)).toEqual(route(host));
  });

  test('is told to join where a head shuts it out, and one that has joined that the head is another', () => {
    const broken = { type: 'handshake:error:other' };
    const said = ({ curve }: HeadRoute): unknown[] => {
      const watch = new HandshakeWatch('tcp://a', curve);
      return [1, 2, 3].map(() => watch.refusal(broken)?.code ?? null);
    };
    expect(said(route('127.0.0.1'))).toEqual([null, null, 'UNAUTHORIZED']);
    const endpoint = { host: '127.0.0.1', portBase: PORT };
    expect(said(routeToHead({ endpoint, wire: false, membership }))).toEqual([null, null, 'WRONG_HEAD']);
  });

  test.each(['192.0.2.1', 'example.org', '127.0.0.1.example.org', '0.0.0.0'])('says nothing to %s', (host) => {
    expect(() => route(host)).toThrow(expect.objectContaining({ code: 'UNAUTHORIZED' }));
  });

  test('says nothing to another address of a head that encrypts nothing', () => {
    leaveLocalCredential(PORT, { ...local, headKey: null });
    expect(route('127.0.0.1')).toMatchObject({ addresses: ipc });
    leaveLocalCredential(PORT, { ...local, headKey: null, ipc: null });
    expect(route('127.0.0.1')).toMatchObject({ curve: null, addresses: { clients: `tcp://127.0.0.1:${PORT + 4}` } });
    expect(() => route('192.0.2.1')).toThrow(expect.objectContaining({ code: 'UNAUTHORIZED' }));
  });
});

test('a membership comes back as it was saved, for this account only', () => {
  expect(loadMembership(state)).toBeNull();
  saveMembership(state, membership);
  expect(loadMembership(state)).toEqual(membership);
  expect(statSync(join(state, 'membership.json')).mode & 0o777).toBe(0o600);
});
