/** A broker that is reached by TLS with an authority of our own, and takes nobody without a certificate of it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import type { TaskId } from '@muster/shared';
import { skipBecause, TemporaryDirectories, waitUntil } from '@muster/shared/testkit';
import { hasOpenssl, makeCertificates, RabbitNode, type Certificates } from '@muster/rabbitmq/testkit';
import { openBackbone, readTlsFiles, type Backbone, type BrokerTls } from '../src/index.ts';

const hasTools = hasOpenssl();
const tlsTest = hasTools ? test : skipBecause('no openssl program');
const directories = new TemporaryDirectories();
const opened: Backbone[] = [];
const TASK = '00000000000000aa' as TaskId;
let node: RabbitNode;
let certificates: Certificates;

beforeAll(async () => {
  if (!hasTools) return;
  certificates = makeCertificates(directories.make());
  const { ca, server } = certificates;
  node = await RabbitNode.start({
    tls: { ...server, ca },
    plugins: ['rabbitmq_auth_mechanism_ssl'],
    settings: {
      'auth_mechanisms.1': 'PLAIN',
      'auth_mechanisms.2': 'AMQPLAIN',
      'auth_mechanisms.3': 'EXTERNAL',
      ssl_cert_login_from: 'common_name',
    },
  });
  await node.control('add_user', 'head', 'of-head');
  await node.control('set_permissions', 'head', '.*', '.*', '.*');
}, 120_000);

afterEach(() => Promise.all(opened.splice(0).map((backbone) => backbone.close({ withinMs: 0 }))));

afterAll(async () => {
  await node?.stop();
  directories.removeAll();
}, 30_000);

const open = (login: string, tls: BrokerTls): Backbone => {
  const url = `amqps://${login}127.0.0.1:${node.tlsPort}/%2F`;
  const backbone = openBackbone({ url, tls, role: 'head', name: 'head' });
  opened.push(backbone);
  return backbone;
};

const ours = (): BrokerTls =>
  readTlsFiles({ ca: certificates.ca, cert: certificates.client.cert, key: certificates.client.key });

describe('over TLS', () => {
  tlsTest('messages go to the broker and back', async () => {
    const head = open('head:of-head@', ours());
    const got: string[] = [];
    head.consume({ from: { to: 'results' }, prefetch: 1 }, (delivery) => {
      got.push(delivery.key);
      delivery.ack();
    });
    head.publish({ destination: { to: 'results' }, key: 'result', task: TASK, frames: [new Uint8Array(10)] });
    await waitUntil(() => got.includes('result'), { what: 'the result' });
    expect(head.status()).toMatchObject({ state: 'up', confirmed: 1 });
  });

  tlsTest('the certificate alone says who we are', async () => {
    const head = open('', ours());
    await waitUntil(() => head.status().state === 'up', { what: 'the head' });
    expect(await node.control('list_connections', 'user', 'ssl', 'auth_mechanism')).toContain('head\ttrue\tEXTERNAL');
  });
});

describe('nobody gets through', () => {
  const attempts: readonly [string, () => BrokerTls][] = [
    ['to a broker that another authority vouches for', () => ({ ...ours(), ca: pem(certificates.otherCa) })],
    [
      'to a broker that no authority of this machine vouches for',
      () => ({ cert: ours().cert ?? '', key: ours().key ?? '' }),
    ],
    ['without a certificate', () => ({ ca: pem(certificates.ca) })],
  ];
  for (const [what, tls] of attempts)
    tlsTest(what, async () => {
      const head = open('head:of-head@', tls());
      const reason = await waitUntil(() => head.status().reason.replace('not connected yet', '') || null, {
        what: 'a reason',
      });
      expect(reason).toMatch(/certificate|alert|EPROTO|ECONNRESET|closed/i);
      expect(head.status().state).toBe('connecting');
    });
});

describe('files', () => {
  tlsTest('that are no PEM, or half of a pair, are usage errors', () => {
    const { ca, client } = certificates;
    expect(() => readTlsFiles({ ca: import.meta.filename })).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => readTlsFiles({ ca: '/nowhere' })).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => readTlsFiles({ ca, cert: client.cert })).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => readTlsFiles({ ca, key: client.key })).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

const pem = (path: string): string => readFileSync(path, 'utf8');
