/** A head on TCP and everybody who has no business there: nothing that they say is heard, and each leaves a count and a line. */
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  channels,
  decode,
  enrolmentKeys,
  isMusterError,
  newKeyPair,
  providerTopic,
  readJoinToken,
  taskTopic,
  tcpAddress,
  writeJoinToken,
  type Channel,
  type Endpoint,
  type Message,
  type ProviderId,
  type SessionId,
  type TaskId,
} from '@muster/shared';
import { enrol, readLocalCredential } from '@muster/shared/io';
import { waitUntil } from '@muster/shared/testkit';
import { Request } from 'zeromq';
import type { HeadNode } from '../../src/head-node.ts';
import { ask, closeRawPeers, dial, frameOf, handshakeOf } from './raw-peer.ts';
import { echoSubmission, type Enrolled, registerAs, startHeadNode, TrustRig } from './trust-rig.ts';

const ports = Object.keys(channels) as Channel[];
const TASK = '00000000000000aa' as TaskId;

let rig: TrustRig;
let head: HeadNode;
let endpoint: Endpoint;
let headKey: string;

beforeAll(async () => {
  rig = await TrustRig.start();
  ({ head, endpoint } = rig);
  headKey = readJoinToken(rig.createToken()).headKey;
}, 60_000);

afterEach(() => closeRawPeers());

afterAll(() => rig.stop(), 30_000);

const submission = echoSubmission(TASK);

const codeOf = (message: Message): string => ('error' in message ? (message.error?.code ?? '') : message.type);

const tasks = async (): Promise<number> => {
  const admin = await rig.enrolled('admin');
  const listed = await ask(endpoint, 'clients', { keys: admin, type: 'listTasks', fields: { request: 1 } });
  return listed.type === 'tasks' ? listed.tasks.length : -1;
};

async function session(): Promise<{ readonly keys: Enrolled; readonly id: SessionId }> {
  const keys = await rig.enrolled('provider');
  return { keys, id: await rig.register(keys) };
}

describe('at every port', () => {
  test.each(ports)('%s: a peer without CURVE does not get in', async (port) => {
    const { log, refused, result } = await rig.meanwhile(async () => {
      const verdict = await handshakeOf(endpoint, port, null);
      await waitUntil(() => rig.auditLog().at(-1)?.object === port, { what: 'a line in the audit log' });
      return verdict;
    });
    // The head hangs up; the peer may see that before it sees why.
    expect(result).toMatch(/^handshake:error:(protocol|other)$/);
    expect(refused).toBeGreaterThanOrEqual(1);
    expect(log[0]).toMatchObject({ action: 'handshake', outcome: 'refused' });
  });

  test.each(ports)('%s: a peer with a random key does not get in', async (port) => {
    const { log, refused, result } = await rig.meanwhile(() =>
      handshakeOf(endpoint, port, { own: newKeyPair(), head: headKey }),
    );
    expect([result, refused]).toEqual(['handshake:error:auth', 1]);
    expect(log).toMatchObject([{ action: 'handshake', outcome: 'refused', address: '127.0.0.1' }]);
  });

  test.each(ports)('%s: a key that was revoked does not get in', async (port) => {
    const keys = await rig.enrolled('provider');
    expect(await handshakeOf(endpoint, port, keys)).toBe('handshake');
    rig.administer('node-revoke', { id: keys.identity });
    const { result, refused } = await rig.meanwhile(() => handshakeOf(endpoint, port, keys));
    expect([result, refused]).toEqual(['handshake:error:auth', 1]);
  });

  test('only providers get in where providers work', async () => {
    for (const role of ['viewer', 'submitter'] as const) {
      const keys = await rig.enrolled(role);
      for (const port of ports)
        expect([role, port, await handshakeOf(endpoint, port, keys)]).toEqual([
          role,
          port,
          port === 'clients' ? 'handshake' : 'handshake:error:auth',
        ]);
    }
  });
});

describe('who is in', () => {
  test.each(['viewer', 'provider'] as const)('as a %s submits nothing', async (role) => {
    const keys = await rig.enrolled(role);
    const before = await tasks();
    const { result, log, refused } = await rig.meanwhile(() =>
      ask(endpoint, 'clients', { keys, type: 'submit', fields: submission }),
    );
    expect([codeOf(result), refused]).toEqual(['FORBIDDEN', 1]);
    expect(log).toMatchObject([
      { action: 'message', outcome: 'refused', actor: keys.identity, role, object: 'submit' },
    ]);
    expect(await tasks()).toBe(before);
  });

  test.each(['registration', 'heartbeats', 'clients'] as const)('%s: says nothing that is no message', async (port) => {
    const keys = await rig.enrolled('provider');
    const { result, log, refused } = await rig.meanwhile(async () => {
      const socket = dial(endpoint, port, keys);
      socket.connect(tcpAddress(endpoint, port));
      await socket.send(Buffer.from('no message'));
      return codeOf(decode(await socket.receive()).message);
    });
    expect([result, refused]).toEqual(['PROTOCOL', 1]);
    expect(log).toMatchObject([{ action: 'message', outcome: 'refused', object: port }]);
  });

  test("does not speak with another one's seal, nor with none", async () => {
    const keys = await rig.enrolled('viewer');
    for (const seal of ['0'.repeat(16), 'f'.repeat(16)])
      expect(codeOf(await ask(endpoint, 'clients', { keys, seal, type: 'listNodes', fields: { request: 1 } }))).toBe(
        'UNAUTHORIZED',
      );
  });

  test('as a provider registers under its own id only, and administers nothing', async () => {
    const keys = await rig.enrolled('provider');
    const other = 'f'.repeat(16) as ProviderId;
    expect(codeOf(await ask(endpoint, 'registration', { keys, type: 'register', fields: registerAs(other) }))).toBe(
      'FORBIDDEN',
    );
    const request = { action: 'token-create', arguments: {} } as const;
    expect(codeOf(await ask(endpoint, 'registration', { keys, type: 'administer', fields: request }))).toBe(
      'FORBIDDEN',
    );
    expect(head.nodes().some(({ id }) => id === other)).toBe(false);
  });

  test('does not take the place of a node of the own account that is here', async () => {
    const keys = await rig.enrolled('provider');
    const credential = readLocalCredential(endpoint.portBase)!;
    const own = { own: credential.keys, head: credential.headKey! };
    const register = { type: 'register', fields: registerAs(keys.provider) } as const;
    const here = await ask(endpoint, 'registration', { keys: own, ...register });
    expect(codeOf(await ask(endpoint, 'registration', { keys, ...register }))).toBe('FORBIDDEN');
    const { session: local } = here as Message<'registered'>;
    const listener = dial(endpoint, 'tasks', own);
    listener.connect(tcpAddress(endpoint, 'tasks'));
    listener.subscribe(providerTopic(local));
    const [, ...hello] = await listener.receive();
    const { nonce } = decode(hello).message as Message<'hello'>;
    const fields = { session: local, nonce, sharesStore: false };
    expect(codeOf(await ask(endpoint, 'registration', { keys: own, type: 'ready', fields }))).toBe('ok');
    listener.close();
    await waitUntil(() => head.nodes().find(({ id }) => id === keys.provider)?.state === 'suspect', {
      what: 'the one of the own account has gone',
    });
    await rig.register(keys);
  });

  test("cannot speak for another one's session", async () => {
    const { id } = await session();
    const thief = await rig.enrolled('provider');
    const beat = { session: id, seq: 0, running: [], computedMs: 0, linkBytesPerMs: 0 };
    const answered = await ask(endpoint, 'heartbeats', { keys: thief, type: 'heartbeat', fields: beat });
    expect(codeOf(answered)).toBe('FORBIDDEN');
    const bye = await ask(endpoint, 'registration', {
      keys: thief,
      type: 'bye',
      fields: { session: id, handBack: [] },
    });
    expect(codeOf(bye)).toBe('FORBIDDEN');
    const { log } = await rig.meanwhile(async () => {
      const push = dial(endpoint, 'results', thief);
      push.connect(tcpAddress(endpoint, 'results'));
      const fields = { session: id, task: TASK, lease: 1, error: { code: 'BUG', what: '', why: '', fix: '' } } as const;
      await push.send(frameOf({ type: 'failed', fields }, thief));
      await waitUntil(() => rig.auditLog().at(-1)?.object === 'failed', { what: 'a line in the audit log' });
    });
    expect(log.at(-1)).toMatchObject({ action: 'message', outcome: 'refused', actor: thief.identity });
  });

  test("hears neither everything nor another one's topic", async () => {
    const { id } = await session();
    const keys = await rig.enrolled('provider');
    const [owner, thief] = [dial(endpoint, 'tasks', keys), dial(endpoint, 'tasks', keys)];
    const refusedTopics = (): number => rig.auditLog().filter(({ action }) => action === 'subscription').length;
    const { refused } = await rig.meanwhile(async () => {
      thief.connect(tcpAddress(endpoint, 'tasks'));
      thief.subscribe('', 'p.');
      await waitUntil(() => refusedTopics() === 2, { what: 'two lines in the audit log' });
      owner.connect(tcpAddress(endpoint, 'tasks'));
      owner.subscribe(providerTopic(id));
      // What the head says when it has heard the subscription goes to all who listen.
      const [topic] = await owner.receive();
      expect(String(topic)).toBe(providerTopic(id));
      thief.subscribe(providerTopic(id));
      await waitUntil(() => refusedTopics() === 3, { what: 'three lines in the audit log' });
      // Tasks have topics that only their teams can name.
      thief.subscribe(taskTopic(TASK), taskTopic('0'.repeat(32)));
      await waitUntil(() => refusedTopics() === 5, { what: 'five lines in the audit log' });
    });
    expect(refused).toBe(5);
    thief.receiveTimeout = 0;
    await expect(thief.receive()).rejects.toMatchObject({ code: 'EAGAIN' });
  });

  test('and is revoked is out in less than two seconds, by old connections and new ones', async () => {
    const { keys, id } = await session();
    const beat = frameOf(
      { type: 'heartbeat', fields: { session: id, seq: 0, running: [], computedMs: 0, linkBytesPerMs: 0 } },
      keys,
    );
    const old = dial(endpoint, 'heartbeats', keys);
    old.connect(tcpAddress(endpoint, 'heartbeats'));
    await old.send(beat);
    expect(decode(await old.receive()).message).toMatchObject({ type: 'beat', known: true });
    const startedMs = performance.now();
    rig.administer('node-revoke', { id: keys.identity });
    expect(head.nodes().find((node) => node.id === keys.provider)?.state).toBe('lost');
    await old.send(beat);
    expect(codeOf(decode(await old.receive()).message)).toBe('UNAUTHORIZED');
    expect(await handshakeOf(endpoint, 'heartbeats', keys)).toBe('handshake:error:auth');
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });
});

describe('a join token', () => {
  const complaint = async (line: string): Promise<string> => {
    const before = rig.administer('node-ls') as { members: object[] };
    try {
      await enrol(Request, line, { name: 'newcomer', provider: '' });
      return 'enrolled';
    } catch (error) {
      expect(rig.administer('node-ls')).toMatchObject({
        members: { length: before.members.length },
      });
      return isMusterError(error) ? `${error.code}: ${error.message}` : String(error);
    }
  };

  test('says five different things when it does not help, and enrols nobody', async () => {
    const expired = rig.createToken({ ttlMs: '1' });
    const used = rig.createToken({ uses: '1', role: 'viewer' });
    await enrol(Request, used, { name: 'first', provider: '' });
    const good = rig.createToken();
    const foreign = writeJoinToken({ ...readJoinToken(good), headKey: newKeyPair().publicKey });
    const changed = `${good.slice(0, 40)}${good[40] === 'A' ? 'B' : 'A'}${good.slice(41)}`;
    expect([
      await complaint(expired),
      await complaint(used),
      await complaint(good.slice(0, -7)),
      await complaint(changed),
      await complaint(foreign),
    ]).toEqual([
      'TOKEN_REFUSED: the join token is expired',
      'TOKEN_REFUSED: the join token is used up',
      'TOKEN_INVALID: the join token was cut off',
      'TOKEN_INVALID: the join token has a wrong character',
      expect.stringMatching(/^WRONG_HEAD: the head at tcp:.* is not the one that was joined/),
    ]);
  });

  test('that was revoked, or is of no head, is refused', async () => {
    const revoked = rig.createToken();
    rig.administer('token-revoke', { id: readJoinToken(revoked).id });
    expect(await complaint(revoked)).toBe('TOKEN_REFUSED: the join token was revoked');
    const unknown = writeJoinToken({ ...readJoinToken(revoked), secret: '0'.repeat(32) });
    expect(await complaint(unknown)).toBe('TOKEN_REFUSED: the head does not know this join token');
  });

  test('lets its bearer enrol and do nothing else', async () => {
    const keys = { own: enrolmentKeys(readJoinToken(rig.createToken())), head: headKey };
    expect(
      codeOf(
        await ask(endpoint, 'registration', {
          keys,
          type: 'register',
          fields: registerAs('a'.repeat(16) as ProviderId),
        }),
      ),
    ).toBe('FORBIDDEN');
    for (const port of ports.filter((other) => other !== 'registration'))
      expect(await handshakeOf(endpoint, port, keys)).toBe('handshake:error:auth');
  });

  test('that asks for approval lets in when an admin says so', async () => {
    const line = rig.createToken({ role: 'viewer', requireApproval: 'true' });
    const { membership, approved } = await enrol(Request, line, { name: 'patient', provider: '' });
    expect(approved).toBe(false);
    const keys = { own: membership.keys, head: headKey };
    expect(await handshakeOf(endpoint, 'clients', keys)).toBe('handshake:error:auth');
    rig.administer('node-approve', { id: membership.identity });
    expect(await handshakeOf(endpoint, 'clients', keys)).toBe('handshake');
  });

  test.each([
    ['zero', '0'.repeat(40)],
    ['too short', 'short'],
    ['its own', null],
  ])('enrols no key that is %s, and what follows goes on', async (_, given) => {
    const line = rig.createToken({ role: 'viewer' });
    const { publicKey } = enrolmentKeys(readJoinToken(line));
    const before = rig.administer('node-ls') as { members: object[] };
    const keys = { ...newKeyPair(), publicKey: given ?? publicKey };
    const enrolment = enrol(Request, line, { name: 'poison', provider: '', keys });
    await expect(enrolment).rejects.toMatchObject({ code: 'BAD_DATA' });
    expect(rig.administer('node-ls')).toMatchObject({ members: { length: before.members.length } });
    const { identity } = await rig.enrolled('viewer');
    rig.administer('node-revoke', { id: identity });
    const { membership } = await enrol(Request, line, { name: 'honest', provider: '' });
    expect(membership.role).toBe('viewer');
  });

  test('is for one kind of program: of providers each has an id, of others none', async () => {
    const [provider, viewer] = [rig.createToken({ role: 'provider' }), rig.createToken({ role: 'viewer' })];
    const refusals = await Promise.all([
      enrol(Request, provider, { name: 'nameless', provider: '' }).catch((error: unknown) => error),
      enrol(Request, viewer, { name: 'named', provider: 'd'.repeat(16) }).catch((error: unknown) => error),
    ]);
    expect(refusals).toMatchObject([
      { code: 'TOKEN_REFUSED', why: 'it is for the role provider', fix: 'provider-node join TOKEN' },
      { code: 'TOKEN_REFUSED', why: 'it is for the role viewer', fix: 'user-client login TOKEN' },
    ]);
  });

  test('that is used again with the same key, because the answer was lost, enrols one', async () => {
    const applicant = { name: 'again', provider: '', keys: newKeyPair() };
    const line = rig.createToken({ uses: '1', role: 'viewer' });
    const [first, second] = [await enrol(Request, line, applicant), await enrol(Request, line, applicant)];
    expect(second.membership.identity).toBe(first.membership.identity);
  });
});

describe('noise', () => {
  const closed = (socket: Socket): Promise<number> => {
    const started = performance.now();
    return new Promise((resolve) => socket.once('close', () => resolve(performance.now() - started)));
  };

  test('of 64 KiB and idle connections on every port are closed, and a client is served meanwhile', async () => {
    const admin = await rig.enrolled('admin');
    const before = process.memoryUsage().rss;
    const open = ports.flatMap((port) =>
      Array.from({ length: 100 }, (_, at) => {
        const socket = connect(endpoint.portBase + channels[port], endpoint.host);
        socket.on('error', () => undefined).resume();
        if (at === 0) socket.write(Buffer.alloc(65_536, 0x5a));
        return closed(socket);
      }),
    );
    const answer = await ask(endpoint, 'clients', { keys: admin, type: 'listNodes', fields: { request: 1 } });
    expect(answer.type).toBe('nodes');
    expect(Math.max(...(await Promise.all(open)))).toBeLessThan(8000);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
  }, 30_000);
});

describe('a head without keys', () => {
  test('does not start where others can reach it', async () => {
    await expect(startHeadNode({ insecure: true, host: '0.0.0.0' })).rejects.toMatchObject({ code: 'USAGE' });
  });
});
