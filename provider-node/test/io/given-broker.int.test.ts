/** Which broker a provider uses: what its user says, else what the head hands out, else what it remembers. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger, type BrokerOffer } from '@muster/shared';
import { BlockStore } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { noBroker, type BrokerLink } from '../../src/io/broker-link.ts';
import { forgetBroker, GivenBroker, type GivenBrokerOptions } from '../../src/io/given-broker.ts';
import { NODE } from './link-rig.ts';

const directories = new TemporaryDirectories();
let stateDirectory: string;
let blocks: BlockStore;
/** What was opened, listened at and closed, in order. */
let log: string[];
let news: string[];

beforeEach(async () => {
  stateDirectory = directories.make();
  blocks = await BlockStore.open({ directory: directories.make(), maxBytes: 2 ** 20 });
  [log, news] = [[], []];
});
afterEach(() => directories.removeAll());

function start(options: Partial<GivenBrokerOptions> = {}): GivenBroker {
  const all = { stateDirectory, amqpUrl: null, amqpTls: {}, name: 'n', logger: silentLogger, ...options };
  const open = (url: string, tls: { readonly ca?: string }): BrokerLink => {
    log.push(`open ${url} ${tls.ca ?? '-'}`);
    return {
      ...noBroker,
      isThere: true,
      listen: () => void log.push(`listen ${url}`),
      close: () => Promise.resolve(void log.push(`close ${url}`)),
    };
  };
  const broker = new GivenBroker(
    { ...all, onStatus: (line) => void news.push(line) },
    { provider: NODE, blocks, open },
  );
  broker.listen(() => false);
  return broker;
}

const url = 'amqp://provider.x%40muster:pw@broker.example/muster';
const offer: BrokerOffer = { url, ca: '' };
const none: BrokerOffer = { url: '', ca: '' };

describe('what the head hands out', () => {
  test('is used from then on, once, and listened at', () => {
    const broker = start();
    expect(broker.isThere).toBe(false);
    broker.offered(offer, '192.0.2.1');
    broker.offered(offer, '192.0.2.1');
    expect(broker.isThere).toBe(true);
    expect(log).toEqual([`open ${url} -`, `listen ${url}`]);
  });

  test('is remembered for this account only, until the head says otherwise or another cluster is joined', () => {
    start().offered(offer, '192.0.2.1');
    expect(readdirSync(stateDirectory)).toEqual(['broker.json']);
    expect(statSync(join(stateDirectory, 'broker.json')).mode & 0o777).toBe(0o600);
    log = [];
    const again = start();
    expect(log).toEqual([`open ${url} -`, `listen ${url}`]);
    again.offered(none, '192.0.2.1');
    expect(log.at(-1)).toBe(`close ${url}`);
    expect(again.isThere).toBe(false);
    expect(readdirSync(stateDirectory)).toEqual([]);
    again.offered(offer, '192.0.2.1');
    forgetBroker(stateDirectory);
    expect(start().isThere).toBe(false);
  });

  test('takes the place of what was handed out before', () => {
    const broker = start();
    broker.offered(offer, '192.0.2.1');
    const other = url.replace('pw', 'pw2');
    broker.offered({ url: other, ca: '' }, '192.0.2.1');
    expect(log.slice(2)).toEqual([`open ${other} -`, `listen ${other}`, `close ${url}`]);
  });

  test('is at the host of the head when the head says that it is at its own', () => {
    start().offered({ url: url.replace('broker.example', '127.0.0.1'), ca: '' }, '192.0.2.1');
    expect(log[0]).toBe(`open ${url.replace('broker.example', '192.0.2.1')} -`);
  });

  test('comes with its authority, unless the user has named one', () => {
    const secret = { url: url.replace('amqp:', 'amqps:'), ca: 'of the head' };
    start().offered(secret, '192.0.2.1');
    expect(log[0]).toBe(`open ${secret.url} of the head`);
    forgetBroker(stateDirectory);
    log = [];
    start({ amqpTls: { ca: 'of the user' } }).offered(secret, '192.0.2.1');
    expect(log[0]).toBe(`open ${secret.url} of the user`);
  });

  test.each([
    ['guest on another machine', { url: 'amqp://guest:guest@broker.example', ca: '' }, {}],
    ['no encryption where the user has named an authority', offer, { amqpTls: { ca: 'of the user' } }],
  ])('is not used when it is %s: the work goes on without', (_what, offered, options) => {
    const broker = start(options);
    broker.offered(offered, '192.0.2.1');
    expect(broker.isThere).toBe(false);
    expect(log).toEqual([]);
    expect(news).toEqual([expect.stringMatching(/^works without the broker of the head: /)]);
  });
});

test('what the user of the machine names is used, whatever the head says', () => {
  const own = 'amqp://me:secret@elsewhere';
  const broker = start({ amqpUrl: own });
  broker.offered(offer, '192.0.2.1');
  broker.offered(none, '192.0.2.1');
  expect(log).toEqual([`open ${own} -`, `listen ${own}`]);
  expect(readdirSync(stateDirectory)).toEqual([]);
});
