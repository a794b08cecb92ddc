/** Users of providers at a real broker: what they may, what they may not, and that they go. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { silentLogger, type ProviderId, type TaskId } from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import { RabbitNode } from '@muster/rabbitmq/testkit';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { openBackbone, ProviderAccounts, providerUser, type Backbone, type Delivery } from '../src/index.ts';

const [mine, others] = ['00000000000000f1', '00000000000000f2'] as [ProviderId, ProviderId];
const TASK = '00000000000000aa' as TaskId;
const PASSWORD = 'of-mine';

let node: RabbitNode;
let accounts: ProviderAccounts;
let amqpUrl: string;
let head: Backbone;
const opened: Backbone[] = [];
const connections: ChannelModel[] = [];

beforeAll(async () => {
  node = await RabbitNode.start({ plugins: ['rabbitmq_management'] });
  amqpUrl = `amqp://head:of%3Ahead@127.0.0.1:${node.port}/muster`;
  const adminUrl = `http://guest:guest@127.0.0.1:${node.managementPort}`;
  accounts = new ProviderAccounts({ adminUrl, amqpUrl, publicUrl: null, tls: {}, logger: silentLogger, retryMs: 50 });
  // The plug-in listens a little later than the broker does.
  const prepared = (): Promise<boolean> =>
    accounts.prepare().then(
      () => true,
      () => false,
    );
  await waitUntil(prepared, { what: 'the management interface', timeoutMs: 30_000 });
  head = openBackbone({ url: amqpUrl, role: 'head', name: 'head' });
  for (const provider of [mine, others]) head.admit(provider);
  await waitUntil(() => head.status().state === 'up', { what: 'the head', timeoutMs: 20_000 });
}, 120_000);

afterEach(async () => {
  await Promise.all(opened.splice(0).map((backbone) => backbone.close({ withinMs: 0 })));
  await Promise.all(connections.splice(0).map((connection) => connection.close().catch(() => undefined)));
});

afterAll(async () => {
  accounts.close();
  await head.close({ withinMs: 0 });
  await node.stop();
}, 30_000);

const urlOf = (provider: ProviderId): string => accounts.urlFor(provider, PASSWORD);

const letsIn = (url: string): Promise<boolean> =>
  connect(url).then(
    (connection) => connection.close().then(() => true),
    () => false,
  );

async function admitted(provider: ProviderId): Promise<void> {
  accounts.admit(provider, PASSWORD);
  await waitUntil(() => letsIn(urlOf(provider)), { what: 'the user to be there' });
}

function open(provider: ProviderId): Backbone {
  const backbone = openBackbone({ url: urlOf(provider), role: 'provider', name: provider });
  opened.push(backbone);
  return backbone;
}

async function connectionOf(provider: ProviderId): Promise<ChannelModel> {
  const connection = await connect(urlOf(provider));
  connection.on('error', () => undefined);
  connections.push(connection);
  return connection;
}

/** The code with which the broker closes the channel on which this is done; '' when it lets it pass. */
async function refusal(act: (channel: Channel) => unknown): Promise<string> {
  const channel = await (await connectionOf(mine)).createConfirmChannel();
  const closed = new Promise<string>((resolve) => channel.once('error', (error: Error) => resolve(error.message)));
  const passed = Promise.resolve(act(channel)).then(() => channel.waitForConfirms());
  const said = await Promise.race([
    closed,
    passed.then(
      () => '',
      () => closed,
    ),
  ]);
  return /\b40\d\b/.exec(said)?.[0] ?? said;
}

test('the virtual host and the user of the head are made; who was there keeps what he had', async () => {
  await accounts.prepare();
  expect(await letsIn(amqpUrl)).toBe(true);
  expect(await letsIn(amqpUrl.replace('of%3Ahead', 'wrong'))).toBe(false);
  expect(await node.control('list_users')).toMatch(/^guest\t\[administrator\]$/m);
  expect(await node.control('list_users')).toMatch(/^head\t\[\]$/m);
});

describe('a provider', () => {
  beforeAll(async () => {
    await admitted(mine);
    await admitted(others);
  });

  test('takes from its own queue and leaves results, which bear its name', async () => {
    const provider = open(mine);
    const got: Delivery[] = [];
    const take = (delivery: Delivery): void => {
      got.push(delivery);
      delivery.ack();
    };
    provider.consume({ from: { to: 'provider', provider: mine }, prefetch: 4 }, take);
    head.consume({ from: { to: 'results' }, prefetch: 4 }, take);
    const frames = [new Uint8Array(10)];
    head.publish({ destination: { to: 'provider', provider: mine }, key: 'lease', task: TASK, frames });
    provider.publish({ destination: { to: 'results' }, key: 'result', task: TASK, frames });
    await waitUntil(() => got.length === 2, { what: 'both' });
    const from = Object.fromEntries(got.map(({ key, from: user }) => [key, user]));
    expect(from).toEqual({ lease: null, result: providerUser(mine, 'muster') });
    expect(provider.status()).toMatchObject({ state: 'up', unrouted: 0 });
  });

  test('reads operands of a task', async () => {
    head.openTask(TASK);
    head.publish({ destination: { to: 'blocks', task: TASK }, key: 'b', task: TASK, frames: [Buffer.from('operand')] });
    await head.settled(TASK);
    const got: string[] = [];
    const onDelivery = ({ frames }: Delivery): void => void got.push(String(frames[0]));
    await open(mine).drain({ from: { to: 'blocks', task: TASK }, offset: 0 }, { withinMs: 5000, onDelivery });
    expect(got).toEqual(['operand']);
    head.closeTask(TASK);
  });

  const nobody = (): void => undefined;
  test.each<[string, string, (channel: Channel) => unknown]>([
    ["take from another's queue", '403', (channel) => channel.consume(`p.${others}.tasks`, nobody)],
    ['take results', '403', (channel) => channel.consume('results', nobody)],
    ['read the log of events', '403', (channel) => channel.consume('events', nobody)],
    ["purge another's queue", '403', (channel) => channel.purgeQueue(`p.${others}.tasks`)],
    ['delete its own queue', '403', (channel) => channel.deleteQueue(`p.${mine}.tasks`)],
    ['declare a queue', '403', (channel) => channel.assertQueue('own', { durable: true })],
    ['declare an exchange', '403', (channel) => channel.assertExchange('own', 'fanout')],
    ['bind its queue to results', '403', (channel) => channel.bindQueue(`p.${mine}.tasks`, 'muster.results', 'x')],
    ['give work out', '403', (channel) => channel.publish('muster.tasks', `p.${others}.tasks`, Buffer.from('x'))],
    ['go by the default exchange', '403', (channel) => channel.sendToQueue(`p.${others}.tasks`, Buffer.from('x'))],
    [
      'say that it is somebody else',
      '406',
      (channel) =>
        channel.publish('muster.results', 'results', Buffer.from('x'), { userId: providerUser(others, 'muster') }),
    ],
  ])('may not %s', async (_what, code, act) => {
    expect(await refusal(act)).toBe(code);
  });

  test('does not get into another virtual host, nor to the management interface', async () => {
    const login = urlOf(mine);
    expect(await letsIn(login)).toBe(true);
    expect(await letsIn(login.replace(/muster$/, '%2F'))).toBe(false);
    const { username, password } = new URL(login);
    const headers = { authorization: `Basic ${btoa(decodeURIComponent(`${username}:${password}`))}` };
    const answer = await fetch(`http://127.0.0.1:${node.managementPort}/api/overview`, { headers });
    expect(answer.status).toBe(401);
  });
});

test('who is expelled loses its connections within two seconds, does not come back, and others stay', async () => {
  await admitted(mine);
  await admitted(others);
  const [own, other] = [await connectionOf(mine), await connectionOf(others)];
  const ended = new Promise<number>((resolve) => own.once('close', () => resolve(performance.now())));
  let otherEnded = false;
  other.once('close', () => (otherEnded = true));
  const asked = performance.now();
  accounts.expel(mine);
  expect((await ended) - asked).toBeLessThan(2000);
  expect(await letsIn(urlOf(mine))).toBe(false);
  expect(await node.control('list_users')).not.toContain(mine);
  expect(otherEnded).toBe(false);
  expect(await letsIn(urlOf(others))).toBe(true);
  // Whoever was never there is gone as well.
  accounts.expel('00000000000000f9' as ProviderId);
  accounts.admit(mine, PASSWORD);
  await waitUntil(() => letsIn(urlOf(mine)), { what: 'the user to be there again' });
});

test('a password that is set again cuts no connection', async () => {
  await admitted(mine);
  const connection = await connectionOf(mine);
  let ended = false;
  connection.once('close', () => (ended = true));
  accounts.admit(mine, PASSWORD);
  accounts.admit(others, 'another one');
  await waitUntil(() => letsIn(accounts.urlFor(others, 'another one')), { what: 'the later wish' });
  expect(ended).toBe(false);
  await (await connection.createChannel()).close();
});
