/** Nodes that were away for so long that the head gave them up, or died with finished work: they come back as themselves. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { NodeStatus } from '@muster/shared';
import { RabbitNode } from '@muster/rabbitmq/testkit';
import { freePortBase, TcpProxy, waitUntil, type LocalProgram } from '@muster/shared/testkit';
import { FaultRig, type Shape } from './fault-rig.ts';

const SHAPE: Shape = [4096, 3072, 4096];
const LONG = process.env['MUSTER_CHAOS'] === 'long';
/** The head gives a node up after 15 s. */
const AWAY_MS = LONG ? 60_000 : 15_000;

let broker: RabbitNode;
let rig: FaultRig;

beforeAll(async () => {
  broker = await RabbitNode.start();
}, 100_000);

afterAll(() => broker.stop(), 30_000);

const start = async (providers: number): Promise<void> => {
  rig = await FaultRig.start({ providers, env: { AMQP_URL: broker.url } });
  await waitUntil(async () => (await rig.backbone()).state === 'up', { what: 'backbone: up' });
};

const named = async (name: string): Promise<NodeStatus> => {
  const node = (await rig.observer.nodes()).find((candidate) => candidate.name === name);
  return node ?? Promise.reject(new Error(`the head knows no ${name}`));
};

const idsOf = async (names: readonly string[]): Promise<string[]> =>
  Promise.all(names.map(async (name) => (await named(name)).id));

const become = (names: readonly string[], state: string): Promise<unknown> =>
  waitUntil(async () => (await Promise.all(names.map(named))).every((node) => node.state === state), {
    what: `${names.join(' and ')}: ${state}`,
    timeoutMs: 30_000,
  });

describe('nodes that are away until the head has given them up', () => {
  let proxy: TcpProxy;
  let asleep: LocalProgram;

  afterEach(async () => {
    asleep.process.kill('SIGCONT');
    proxy.heal();
    await rig.end();
    await proxy.close();
  }, 30_000);

  test('one frozen and one cut off are back under their old ids, and count once', async () => {
    await start(1);
    const from = await freePortBase();
    proxy = await TcpProxy.start({ from, to: rig.cluster.cluster.portBase });
    asleep = await rig.rejoin('asleep');
    await rig.rejoin('cut', ['--blocks', 'wire', '--port-base', String(from)]);
    const away = ['asleep', 'cut'];
    const ids = await idsOf(away);
    const work = await rig.multiply(SHAPE, 3);
    await rig.reached(work, 0.1);
    const sinceMs = performance.now();
    asleep.process.kill('SIGSTOP');
    proxy.blackHole();
    await rig.expectRight(work);
    await become(away, 'lost');
    await waitUntil(() => performance.now() - sinceMs > AWAY_MS, { what: 'the time away', timeoutMs: AWAY_MS });
    asleep.process.kill('SIGCONT');
    proxy.heal();
    await become(away, 'ready');
    expect(await idsOf(away)).toEqual(ids);
    expect(await rig.observer.nodes()).toHaveLength(3);
    const next = await rig.multiply([3072, 2048, 3072], 3);
    await rig.expectRight(next);
    for (const product of [work, next]) await rig.expectOnce(product);
  }, 150_000);
});

describe('a node that is killed with finished work', () => {
  afterEach(() => rig.end(), 30_000);

  test('offers it under its old id, and it is not computed again', async () => {
    await start(1);
    const { id } = await named('node-1');
    const work = await rig.multiply(SHAPE, 1);
    await rig.reached(work, 0.2);
    const { program } = await rig.busyNode(work);
    const { process: head } = rig.cluster.cluster.head;
    head.kill('SIGSTOP');
    const kept = await waitUntil(() => [rig.finishedBy('node-1')].find(({ length }) => length > 0), {
      what: 'a result is finished',
    });
    await rig.cluster.kill(program);
    head.kill('SIGCONT');
    await rig.rejoin('node-1');
    await rig.expectRight(work);
    await rig.expectOnce(work);
    expect((await named('node-1')).id).toBe(id);
    expect(await rig.observer.nodes()).toHaveLength(1);
    expect(rig.givenOf(work).filter((subtask) => kept.includes(subtask))).toHaveLength(kept.length);
  }, 60_000);
});
