/** What is asked of a management interface, and what comes of one that is away, refuses, or is somebody else. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { silentLogger, type Logger, type ProviderId } from '@muster/shared';
import { skipBecause, TemporaryDirectories, waitUntil } from '@muster/shared/testkit';
import { hasOpenssl, makeCertificates } from '@muster/rabbitmq/testkit';
import { ProviderAccounts, type BrokerTls } from '../src/index.ts';
import { Management } from '../src/management.ts';

const provider = '00000000000000f1' as ProviderId;
const user = encodeURIComponent(`provider.${provider}@a/b`);
const directories = new TemporaryDirectories();
const servers: Server[] = [];
const all: ProviderAccounts[] = [];

afterEach(async () => {
  for (const accounts of all.splice(0)) accounts.close();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  directories.removeAll();
});

interface Asked {
  readonly line: string;
  readonly login: string;
  readonly body: string;
}

class FakeBroker {
  readonly asked: Asked[] = [];
  /** Of the answer, by 'METHOD /path'; 204 where there is none. */
  statusOf: (line: string) => number = () => 204;
  port = 0;

  async listen(server: Server): Promise<this> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    return this;
  }

  readonly answer: RequestListener = (request, response) => {
    void textOf(request).then((body) => {
      const line = `${request.method} ${request.url}`;
      const login = Buffer.from((request.headers.authorization ?? '').slice(6), 'base64').toString();
      this.asked.push({ line, login, body });
      response.writeHead(this.statusOf(line)).end();
    });
  };
}

const fakeBroker = (): Promise<FakeBroker> => {
  const broker = new FakeBroker();
  return broker.listen(createServer(broker.answer));
};

async function textOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

function accountsAt(port: number, logger: Logger = silentLogger): ProviderAccounts {
  const accounts = new ProviderAccounts({
    adminUrl: `http://keeper:s%2Fecret@127.0.0.1:${port}`,
    amqpUrl: 'amqp://head:secret@127.0.0.1/a%2Fb',
    publicUrl: 'amqps://broker.example:5671',
    tls: {},
    logger,
    retryMs: 10,
  });
  all.push(accounts);
  return accounts;
}

describe("providers' users", () => {
  test('are put and deleted by name, with their rights, and only hashes of passwords travel', async () => {
    const broker = await fakeBroker();
    const accounts = accountsAt(broker.port);
    accounts.admit(provider, 'a-password');
    accounts.expel(provider);
    accounts.admit(provider, 'a-password');
    // The first had begun when the others came.
    await waitUntil(() => broker.asked.length >= 4, { what: 'the last wish' });
    expect(broker.asked.slice(-2).map(({ line }) => line)).toEqual([
      `PUT /api/users/${user}`,
      `PUT /api/permissions/a%2Fb/${user}`,
    ]);
    expect(broker.asked.every(({ login }) => login === 'keeper:s/ecret')).toBe(true);
    const [made, rights] = broker.asked.slice(-2).map(({ body }) => JSON.parse(body) as Record<string, string>);
    expect(made).toMatchObject({ tags: '', password_hash: expect.stringMatching(/^[\w+/]{48}$/) });
    expect(rights).toMatchObject({ configure: '^$', write: '^muster\\.results$' });
    expect(broker.asked.map(({ body }) => body).join('')).not.toContain('a-password');
    accounts.expel(provider);
    await waitUntil(() => broker.asked.at(-1)?.line.includes('connections'), { what: 'the user to be removed' });
    expect(broker.asked.slice(-2).map(({ line }) => line)).toEqual([
      `DELETE /api/users/${user}`,
      `DELETE /api/connections/username/${user}`,
    ]);
  });

  test('wait for a broker that is away, and get the last wish', async () => {
    const broker = await fakeBroker();
    broker.statusOf = () => 503;
    const warnings: object[] = [];
    const logger = { ...silentLogger, warn: (facts: object) => void warnings.push(facts) };
    const accounts = accountsAt(broker.port, logger);
    accounts.admit(provider, 'a-password');
    await waitUntil(() => broker.asked.length >= 3, { what: 'three attempts' });
    accounts.expel(provider);
    await waitUntil(() => broker.asked.at(-1)?.line.startsWith('DELETE'), { what: 'the last wish to be tried' });
    broker.statusOf = () => 204;
    broker.asked.length = 0;
    await waitUntil(() => broker.asked.length >= 2, { what: 'the last wish' });
    expect(broker.asked.map(({ line }) => line.split(' ')[0])).toEqual(['DELETE', 'DELETE']);
    expect(warnings[0]).toMatchObject({ waiting: 1, why: expect.stringContaining('503') });
  });

  test('log in where others reach the broker', () => {
    const url = new URL(accountsAt(1).urlFor(provider, 'p:w@x'));
    expect([url.protocol, url.host, url.pathname]).toEqual(['amqps:', 'broker.example:5671', '/a%2Fb']);
    expect([url.username, url.password].map(decodeURIComponent)).toEqual([`provider.${provider}@a/b`, 'p:w@x']);
  });
});

describe('the management interface', () => {
  const ask = (url: string, tls?: BrokerTls): Promise<unknown> =>
    new Management(url, tls).ask({ method: 'GET', path: ['users'] });

  test('says what it does not let us do, and that something is not there', async () => {
    const broker = await fakeBroker();
    const url = `http://keeper:secret@127.0.0.1:${broker.port}`;
    for (const status of [401, 403, 400]) {
      broker.statusOf = () => status;
      const error = await ask(url).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'BACKBONE_REFUSED', why: expect.stringContaining(String(status)) });
      expect(JSON.stringify([error, String(error)])).not.toContain('secret');
    }
    broker.statusOf = () => 404;
    expect(await ask(url)).toBeNull();
  });

  test('that nobody is at is a broker that is down', async () => {
    await expect(ask('http://keeper:secret@127.0.0.1:1')).rejects.toMatchObject({ code: 'BACKBONE_DOWN' });
  });

  const tlsTest = hasOpenssl() ? test : skipBecause('no openssl program');
  tlsTest('is believed over TLS with the authority that was named, and with no other', async () => {
    const { ca, otherCa, server } = makeCertificates(directories.make());
    const broker = new FakeBroker();
    const keys = { cert: readFileSync(server.cert), key: readFileSync(server.key) };
    await broker.listen(createTlsServer(keys, broker.answer));
    const url = `https://keeper:secret@127.0.0.1:${broker.port}`;
    expect(await ask(url, { ca: readFileSync(ca, 'utf8') })).toEqual({});
    for (const tls of [{}, { ca: readFileSync(otherCa, 'utf8') }])
      await expect(ask(url, tls)).rejects.toMatchObject({ code: 'BACKBONE_DOWN' });
    expect(broker.asked).toHaveLength(1);
  });
});
