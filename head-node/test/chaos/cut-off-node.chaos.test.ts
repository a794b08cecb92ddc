/** A node that reaches the broker and not the head: it works on from its queue, and the head takes what it left in `results`. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TaskStatus } from '@muster/shared';
import { RabbitNode } from '@muster/rabbitmq/testkit';
import { freePortBase, TcpProxy, waitUntil } from '@muster/shared/testkit';
import { FaultRig, type Shape, type UnderWay } from './fault-rig.ts';

const SHAPE: Shape = [4096, 3072, 4096];
const NODE = 'node-1';

let broker: RabbitNode;
let rig: FaultRig;
let proxy: TcpProxy;

beforeAll(async () => {
  broker = await RabbitNode.start();
  rig = await FaultRig.start({ providers: 0, env: { AMQP_URL: broker.url } });
  const from = await freePortBase();
  proxy = await TcpProxy.start({ from, to: rig.cluster.cluster.portBase });
  // Files would reach the head by another way than the network.
  await rig.rejoin(NODE, ['--blocks', 'wire', '--port-base', String(from)]);
  await waitUntil(async () => (await rig.backbone()).state === 'up', { what: 'backbone: up' });
}, 100_000);

afterAll(async () => {
  proxy.heal();
  await rig.end();
  await proxy.close();
  await broker.stop();
}, 60_000);

const theNode = async (): Promise<{ id: string; state: string }> => {
  const [node] = await rig.observer.nodes();
  return node ?? { id: '', state: 'unknown' };
};

const isAway = (state: string): boolean => state === 'suspect' || state === 'lost';

/** Resolves when the head has noticed, with what it had accepted by then. */
const missed = (work: UnderWay): Promise<TaskStatus> =>
  waitUntil(async () => isAway((await theNode()).state) && (await rig.observer.task(work.task)), {
    what: 'the head misses the node',
  });

/** The product is right, the node is back as itself, and no subtask was given out twice, as none had to be. */
async function expectResumed(work: UnderWay, id: string): Promise<void> {
  const outcome = await rig.expectRight(work);
  expect(outcome).toMatchObject({ state: 'done', rejectedTiles: 0, durability: 'mirrored' });
  expect(await theNode()).toMatchObject({ id, name: NODE });
  await rig.expectOnce(work);
  expect(rig.leasesOf(work.task).map(({ ranges }) => ranges[0])).toEqual([...Array(outcome['tiles']).keys()]);
}

describe('a node that reaches the broker and not the head', () => {
  test('works on from its queue, and what it leaves there counts while it is away', async () => {
    const work = await rig.multiply(SHAPE, 1);
    await rig.reached(work, 0.2);
    const { id } = await theNode();
    proxy.cut();
    const { acceptedTiles } = await missed(work);
    await waitUntil(async () => (await rig.observer.task(work.task)).acceptedTiles > acceptedTiles, {
      what: 'a result came by the broker',
    });
    expect(isAway((await theNode()).state)).toBe(true);
    proxy.heal();
    await expectResumed(work, id);
  }, 60_000);

  test('has what it sent into a silent network once more when it is back', async () => {
    const work = await rig.multiply(SHAPE, 1);
    await rig.reached(work, 0.2);
    const { id } = await theNode();
    proxy.blackHole();
    await missed(work);
    proxy.heal();
    await expectResumed(work, id);
  }, 60_000);
});
