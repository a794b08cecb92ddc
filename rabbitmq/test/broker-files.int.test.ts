import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type TcpNetConnectOpts } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RabbitNode } from '@muster/rabbitmq/testkit';
import { silentLogger, type ProviderId, type TaskId } from '@muster/shared';
import { TemporaryDirectories, waitUntil } from '@muster/shared/testkit';
import { hashPassword, openBackbone, ProviderAccounts, type Delivery } from '../src/index.ts';

const broker = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../broker/${name}`, import.meta.url)), 'utf8');

const settingsOf = (conf: string): Record<string, string> =>
  Object.fromEntries(
    conf
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(' = ') as [string, string]),
  );

interface Status {
  readonly listeners: readonly { readonly port: number }[];
}

const isOpen = (address: TcpNetConnectOpts): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(address, () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });

describe('a broker with the files that Compose gives it', () => {
  const directories = new TemporaryDirectories();
  let node: RabbitNode;

  beforeAll(async () => {
    const definitions = join(directories.make(), 'definitions.json');
    writeFileSync(
      definitions,
      broker('definitions.json')
        .replace('@HEAD_PASSWORD_HASH@', hashPassword('head-secret'))
        .replace('@KEEPER_PASSWORD_HASH@', hashPassword('keeper-secret'))
        .replace('@OBSERVER_PASSWORD_HASH@', hashPassword('observer-secret')),
    );
    node = await RabbitNode.start({
      settings: { ...settingsOf(broker('rabbitmq.conf')), load_definitions: definitions },
      plugins: broker('enabled_plugins').match(/\w+/g) ?? [],
      user: 'head',
      password: 'head-secret',
      vhost: 'muster',
    });
    await accounts().prepare();
    const provider = accounts();
    provider.admit(PROVIDER, 'provider-secret');
    const listed = async (): Promise<boolean> =>
      (await node.control('list_permissions', '-p', 'muster')).includes(PROVIDER);
    await waitUntil(listed, { what: "the provider's user" });
    provider.close();
  }, 120_000);
  afterAll(async () => {
    await node.stop();
    directories.removeAll();
  });

  const PROVIDER = '0123456789abcdef' as ProviderId;
  const accounts = (): ProviderAccounts =>
    new ProviderAccounts({
      adminUrl: `http://keeper:keeper-secret@127.0.0.1:${node.managementPort}`,
      amqpUrl: node.url,
      publicUrl: null,
      tls: {},
      logger: silentLogger,
    });
  const providerUrl = (): string => accounts().urlFor(PROVIDER, 'provider-secret');

  test('is reached by nothing but its own ports on this machine', async () => {
    const { listeners } = JSON.parse(await node.control('status', '--formatter', 'json')) as Status;
    const ports = listeners.map(({ port }) => port);
    expect(ports).toEqual(expect.arrayContaining([node.port, node.managementPort]));
    // Also an address of this machine, but none that it was told to listen on. What the broker says of that is not right for all.
    for (const host of ['127.0.0.1', '127.0.0.2'])
      expect(await Promise.all(ports.map((port) => isOpen({ host, port })))).toEqual(
        ports.map(() => host === '127.0.0.1'),
      );
  });

  test('head and provider work with the rights they have; what they declare is what is there already', async () => {
    const head = openBackbone({ url: node.url, role: 'head', name: 'head' });
    const provider = openBackbone({ url: providerUrl(), role: 'provider', name: 'provider' });
    const [id, task] = [PROVIDER, 'fedcba9876543210' as TaskId];
    head.admit(id);
    const got: string[] = [];
    provider.consume({ from: { to: 'provider', provider: id }, prefetch: 4 }, (delivery) => {
      got.push(delivery.key);
      delivery.ack();
    });
    const frames = [new Uint8Array(10)];
    head.publish({ destination: { to: 'provider', provider: id }, key: 'task', task, frames });
    provider.publish({ destination: { to: 'results' }, key: 'result', task, frames });
    await Promise.all([head.settled(task), provider.settled(task)]);
    await waitUntil(() => got.length === 1, { what: 'the task' });
    expect(head.status()).toMatchObject({ state: 'up', confirmed: 1, unrouted: 0 });
    expect(provider.status()).toMatchObject({ state: 'up', confirmed: 1, unrouted: 0 });
    await Promise.all([head.close({ withinMs: 1000 }), provider.close({ withinMs: 1000 })]);
  }, 60_000);

  test('an operand that the head leaves is read by a provider, and a result the other way round', async () => {
    const head = openBackbone({ url: node.url, role: 'head', name: 'head' });
    const provider = openBackbone({ url: providerUrl(), role: 'provider', name: 'provider' });
    const task = '00112233445566ff' as TaskId;
    head.openTask(task);
    const ways = [
      { from: head, to: provider, stream: { to: 'blocks', task }, key: 'operand' },
      { from: provider, to: head, stream: { to: 'resultChunks', task }, key: 'result' },
    ] as const;
    for (const { from, to, stream, key } of ways) {
      from.publish({ destination: stream, key, task, frames: [Buffer.from(key)] });
      await from.settled(task);
      const got: string[] = [];
      const onDelivery = ({ frames }: Delivery): void => void got.push(String(frames[0]));
      expect(await to.drain({ from: stream, offset: 0 }, { withinMs: 5000, onDelivery })).toBe(1);
      expect(got).toEqual([key]);
    }
    expect(provider.status()).toMatchObject({ state: 'up', confirmed: 1, unrouted: 0 });
    head.closeTask(task);
    await Promise.all([head.close({ withinMs: 1000 }), provider.close({ withinMs: 1000 })]);
  }, 60_000);

  test('what a provider has no right to is refused at once', async () => {
    const provider = openBackbone({ url: providerUrl(), role: 'provider', name: 'provider' });
    const options = { withinMs: 30_000, onDelivery: () => undefined };
    const drained = provider.drain({ from: { to: 'results' }, prefetch: 1 }, options);
    await expect(drained).rejects.toMatchObject({ code: 'BACKBONE_REFUSED', why: expect.stringContaining('403') });
    expect(provider.status().state).toBe('up');
    await provider.close({ withinMs: 0 });
  }, 20_000);

  test('a wrong password is refused, and is not in what people see', async () => {
    const url = node.url.replace('head-secret', 'not-the-secret');
    const refused = openBackbone({ url, role: 'head', name: 'head' });
    const drained = refused.drain(
      { from: { to: 'results' }, prefetch: 1 },
      { withinMs: 1000, onDelivery: () => undefined },
    );
    const error = await drained.catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'BACKBONE_REFUSED' });
    expect(JSON.stringify([error, String(error), refused.status()])).not.toContain('not-the-secret');
    expect(refused.status().state).toBe('connecting');
    await refused.close({ withinMs: 0 });
  }, 60_000);
});
