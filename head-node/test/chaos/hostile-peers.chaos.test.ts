/**
 * Whatever strangers and members send to the ports of a head: they are shut out, or told off, in less than five seconds. Meanwhile a
 * product is computed and comes out right, the head does not grow, and it takes newcomers as before.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  channels,
  decode,
  PROTOCOL_VERSION,
  readJoinToken,
  seededRandom,
  tcpAddress,
  type Channel,
  type ProviderId,
  type Role,
} from '@muster/shared';
import { enrol, firstHandshake } from '@muster/shared/io';
import { deviceFacts, skipBecause, waitUntil } from '@muster/shared/testkit';
import { Request } from 'zeromq';
import { askRunningHead } from '../../src/cli/admin-client.ts';
import type { CreatedToken } from '../../src/trust/administration.ts';
import { ask, closeRawPeers, dial, type Keys } from '../trust/raw-peer.ts';
import { frameAround, nested, zstdBomb } from './bombs.ts';
import { FaultRig } from './fault-rig.ts';
import { MemoryWatch } from './head-memory.ts';
import { GREETING, hugeFrame, RawConnection, Relay, SIGNATURE } from './raw-connection.ts';

const WITHIN_MS = 5000;
const GROWTH_MAX = 100 * 2 ** 20;
const IDLE = 500;
const DEPTH = 10_000;
const SIDE = 4000;

const names = Object.keys(channels) as Channel[];
const linuxTest = process.platform === 'linux' ? test : skipBecause('only Linux tells the memory of a process');

let rig: FaultRig;
let ports: readonly number[];

const portOf = (channel: Channel): number => rig.cluster.cluster.portBase + channels[channel];

beforeAll(async () => {
  rig = await FaultRig.start({ providers: 1 });
  ports = [...names.map(portOf), rig.httpPort];
  // Its first product makes it as large as it is when it works.
  await rig.expectRight(await rig.multiply([SIDE, SIDE, SIDE], 1));
}, 120_000);

afterEach(() => closeRawPeers());

afterAll(() => rig.end(), 30_000);

/** While a product is computed. */
async function underAttack(attack: () => Promise<void>): Promise<void> {
  const work = await rig.multiply([SIDE, SIDE, SIDE], 1);
  const memory = new MemoryWatch(rig.cluster.cluster.head.process.pid ?? 0);
  try {
    const attacking = attack();
    expect(work.client.alive).toBe(true);
    await attacking;
  } finally {
    memory.stop();
  }
  expect(memory.grownBytes).toBeLessThan(GROWTH_MAX);
  await rig.expectRight(work);
  await expectNewcomer();
}

let members = 0;

async function enrolled(role: Role): Promise<Keys & { readonly provider: ProviderId }> {
  members += 1;
  const { token } = (await askRunningHead(rig.cluster.cluster.portBase, 'token-create', { role })) as CreatedToken;
  const provider = members.toString(16).padStart(16, '0') as ProviderId;
  const applicant = { name: `${role}-${members}`, provider: role === 'provider' ? provider : '' };
  const { membership } = await enrol(Request, token, applicant);
  return { own: membership.keys, head: readJoinToken(token).headKey, provider };
}

async function expectNewcomer(): Promise<void> {
  const keys = await enrolled('provider');
  const facts = { name: 'newcomer', platform: 'test', device: deviceFacts({}), credit: 1, held: [] };
  const fields = { ...facts, version: PROTOCOL_VERSION, provider: keys.provider };
  const answer = await ask(rig.cluster.endpoint, 'registration', { keys, type: 'register', fields });
  expect(answer.type).toBe('registered');
}

/** All of them are hung up on in time. */
async function expectClosed(connections: readonly RawConnection[]): Promise<void> {
  const lasted = await Promise.all(connections.map(({ closed }) => closed));
  expect(lasted.filter((ms) => ms >= WITHIN_MS)).toEqual([]);
}

const openAt = (port: number, first: Uint8Array | string): Promise<RawConnection> => RawConnection.open(port, first);

function noise(bytes: number): Buffer {
  const random = seededRandom(7);
  return Buffer.from(Array.from({ length: bytes }, () => Math.floor(256 * random())));
}

describe('strangers at every port', () => {
  linuxTest(
    'who send 64 KiB of garbage',
    () =>
      underAttack(async () => {
        const garbage = [noise(65_536), Buffer.alloc(65_536, 0x5a), Buffer.alloc(65_536, 0xff), Buffer.alloc(65_536)];
        await expectClosed(await Promise.all(ports.flatMap((port) => garbage.map((bytes) => openAt(port, bytes)))));
      }),
    120_000,
  );

  linuxTest(
    'who begin a greeting, or end it and say nothing more',
    () =>
      underAttack(async () => {
        const halves = [SIGNATURE.subarray(0, 1), SIGNATURE, GREETING.subarray(0, 40), GREETING];
        const requests = ['G', 'GET / HTTP/1.1\r\n', `GET / HTTP/1.1\r\nHost: 127.0.0.1:${rig.httpPort}\r\n`];
        await expectClosed(
          await Promise.all([
            ...names.flatMap((channel) => halves.map((half) => openAt(portOf(channel), half))),
            ...requests.map((request) => openAt(rig.httpPort, request)),
          ]),
        );
      }),
    120_000,
  );

  linuxTest(
    `who open ${IDLE} connections and do nothing`,
    () =>
      underAttack(async () => {
        const silent = ports.flatMap((port) => Array.from({ length: IDLE }, () => openAt(port, '')));
        await expectClosed(await Promise.all(silent));
      }),
    120_000,
  );

  linuxTest(
    'who announce 2 GiB',
    () =>
      underAttack(async () => {
        const announced = (['message', 'command'] as const).map((flags) => Buffer.concat([GREETING, hugeFrame(flags)]));
        await expectClosed(
          await Promise.all(names.flatMap((channel) => announced.map((bytes) => openAt(portOf(channel), bytes)))),
        );
        await expectPostRefused([`Content-Length: ${2 ** 31}`], Buffer.alloc(1000));
      }),
    120_000,
  );
});

/** By the HTTP port: with a status of 4xx, or by hanging up. */
async function expectPostRefused(headers: readonly string[], body: Uint8Array): Promise<void> {
  const sinceMs = performance.now();
  const lines = ['POST /healthz HTTP/1.1', `Host: 127.0.0.1:${rig.httpPort}`, ...headers, '', ''];
  const connection = await openAt(rig.httpPort, lines.join('\r\n'));
  connection.socket.write(body);
  const isOver = (): boolean => connection.heard.includes('\r\n') || connection.socket.destroyed;
  await waitUntil(isOver, { what: 'an answer', timeoutMs: WITHIN_MS });
  expect(connection.heard).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
  expect(performance.now() - sinceMs).toBeLessThan(WITHIN_MS);
  connection.socket.destroy();
}

describe('members whose keys are good', () => {
  linuxTest(
    'who announce 2 GiB when they are in',
    () =>
      underAttack(async () => {
        const keys = await enrolled('provider');
        const lasted = await Promise.all(names.map((channel) => announceInside(channel, keys)));
        expect(lasted.filter((ms) => ms >= WITHIN_MS)).toEqual([]);
      }),
    120_000,
  );

  linuxTest(
    'who send what would unpack to gigabytes',
    () =>
      underAttack(async () => {
        const [provider, submitter] = [await enrolled('provider'), await enrolled('submitter')];
        const [small, large] = [zstdBomb(60_000), zstdBomb(1_000_000)];
        for (const bomb of [small, large]) {
          await expectOff('clients', submitter, [bomb]);
          await expectOff('clients', submitter, [frameAround('submit', small, submitter), bomb]);
          await push(provider, [frameAround('result', small, provider), bomb]);
        }
        await expectOff('registration', provider, [frameAround('register', small, provider)]);
        await expectOff('heartbeats', provider, [frameAround('heartbeat', small, provider)]);
        const before = await rig.counter('subscriptions_refused');
        subscribe(provider, small.toString('latin1'));
        await waitUntil(async () => (await rig.counter('subscriptions_refused')) > before, { what: 'a refusal' });
        const length = `Content-Length: ${small.length}`;
        await expectPostRefused([length, 'Content-Encoding: zstd'], small);
      }),
    120_000,
  );

  linuxTest(
    `who send what is ${DEPTH} levels deep`,
    () =>
      underAttack(async () => {
        const [provider, submitter] = [await enrolled('provider'), await enrolled('submitter')];
        const deep = nested(DEPTH);
        for (const type of ['submit', 'bind', 'put', 'show', 'greet'] as const)
          await expectOff('clients', submitter, [frameAround(type, deep, submitter)]);
        // One field is as deep, the others are as they should be.
        const spec = Buffer.concat([Buffer.from([0x98, 0x01]), text('00000000000000aa'), text('train'), deep, terms()]);
        await expectOff('clients', submitter, [frameAround('submit', spec, submitter)]);
        for (const type of ['register', 'ready', 'bye', 'enrol', 'administer'] as const)
          await expectOff('registration', provider, [frameAround(type, deep, provider)]);
        await expectOff('heartbeats', provider, [frameAround('heartbeat', deep, provider)]);
        for (const type of ['result', 'resultChunk', 'failed'] as const)
          await push(provider, [frameAround(type, deep, provider)]);
        const json = `${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}`;
        const headers = ['Content-Type: application/json', `Content-Length: ${json.length}`];
        await expectPostRefused(headers, Buffer.from(json));
      }),
    120_000,
  );
});

/** msgpack: a short string; nodes, waitNodesMs, timeoutMs and durability. */
const text = (value: string): Buffer => Buffer.concat([Buffer.from([0xa0 + value.length]), Buffer.from(value)]);
const terms = (): Buffer => Buffer.concat([Buffer.from([0x01, 0x01, 0x01]), text('local')]);

/** Resolves with the ms until the head hung up. */
async function announceInside(channel: Channel, keys: Keys): Promise<number> {
  const relay = await Relay.to(portOf(channel));
  try {
    const socket = dial(rig.cluster.endpoint, channel, keys);
    const shaken = firstHandshake(socket.events);
    socket.connect(relay.address);
    expect(await shaken).toBe('handshake');
    return await relay.inject(hugeFrame('message'));
  } finally {
    relay.close();
  }
}

/** The head refuses what it is asked. */
async function expectOff(
  channel: 'registration' | 'heartbeats' | 'clients',
  keys: Keys,
  frames: readonly Uint8Array[],
): Promise<void> {
  const socket = dial(rig.cluster.endpoint, channel, keys);
  socket.receiveTimeout = WITHIN_MS;
  socket.connect(tcpAddress(rig.cluster.endpoint, channel));
  await socket.send([...frames]);
  const { message } = decode(await socket.receive());
  expect(['error', 'refused']).toContain(message.type);
  expect('error' in message ? message.error?.code : '').toMatch(/^(PROTOCOL|USAGE|TOO_LARGE|FORBIDDEN|BAD_DATA)$/);
  socket.close();
}

async function push(keys: Keys, frames: readonly Uint8Array[]): Promise<void> {
  const socket = dial(rig.cluster.endpoint, 'results', keys);
  socket.connect(tcpAddress(rig.cluster.endpoint, 'results'));
  const before = warnings();
  await socket.send([...frames]);
  await waitUntil(() => warnings() > before, { what: 'the head has thrown it away', timeoutMs: WITHIN_MS });
}

/** Lines of the head's log about messages that are none. */
const warnings = (): number => rig.cluster.cluster.head.stderr.split('"code":"PROTOCOL"').length;

function subscribe(keys: Keys, topic: string): void {
  const socket = dial(rig.cluster.endpoint, 'tasks', keys);
  socket.connect(tcpAddress(rig.cluster.endpoint, 'tasks'));
  socket.subscribe(topic);
}
