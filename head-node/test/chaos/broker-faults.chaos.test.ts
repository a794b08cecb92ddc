/** A real broker beside the cluster: killed, blocked, and alone with the providers while the head is away. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RabbitNode } from '@muster/rabbitmq/testkit';
import { waitUntil, type LeaseGiven } from '@muster/shared/testkit';
import { FaultRig, type Shape } from './fault-rig.ts';

const SHAPE: Shape = [6144, 3072, 6144];
const NODES = 3;
/** The nightly run lets everything be away for longer. */
const AWAY_MS = process.env['MUSTER_CHAOS'] === 'long' ? 20_000 : 4000;

let broker: RabbitNode;

beforeAll(async () => {
  broker = await RabbitNode.start();
}, 100_000);

afterAll(() => broker.stop(), 30_000);

const away = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, AWAY_MS));

const brokerIs = (rig: FaultRig, wanted: string): Promise<unknown> =>
  waitUntil(async () => (await rig.backbone()).state === wanted, { what: `backbone: ${wanted}`, timeoutMs: 40_000 });

/** Subtasks of leases that were given and not settled when the head died: computed, or about to be, on a node. */
function outstanding(given: readonly LeaseGiven[], accepted: ReadonlySet<number>): number[] {
  return given.flatMap(({ ranges }) => ranges[0] ?? []).filter((index) => !accepted.has(index));
}

describe.each([
  ['that read the files of the head', []],
  ['that get everything over the wire', ['--blocks', 'wire']],
])('nodes %s', (_name, providerArguments) => {
  let rig: FaultRig;

  beforeAll(async () => {
    rig = await FaultRig.start({
      providers: NODES,
      env: { AMQP_URL: broker.url },
      providerArguments: ['--threads', '1', ...providerArguments],
    });
  }, 60_000);

  afterAll(() => rig.end(), 30_000);

  test('finish what they have while the head is away, and it is not computed again', async () => {
    await brokerIs(rig, 'up');
    const work = await rig.multiply(SHAPE, NODES);
    await rig.reached(work, 0.3);
    await rig.cluster.kill(rig.cluster.cluster.head);
    const given = rig.leasesOf(work.task);
    await away();
    await rig.cluster.cluster.restartHead();
    const restored = await rig.observer.task(work.task);
    const outcome = await rig.expectRight(work);
    expect(outcome).toMatchObject({ state: 'done', rejectedTiles: 0, durability: 'mirrored' });
    const again = new Set(rig.leasesOf(work.task).flatMap(({ ranges }) => ranges[0] ?? []));
    const open = outstanding(given, new Set()).slice(restored.acceptedTiles);
    const repeated = given.filter(({ ranges }) => again.has(ranges[0] ?? -1));
    expect({ repeated: repeated.length, open: open.length }).toMatchObject({ repeated: 0 });
  }, 120_000);

  test('do not notice a broker that is killed in the middle of a task', async () => {
    await brokerIs(rig, 'up');
    const work = await rig.multiply(SHAPE, NODES);
    await rig.reached(work, 0.2);
    await broker.kill();
    await rig.expectRight(work);
    expect(['down', 'connecting']).toContain((await rig.backbone()).state);
    await broker.restart();
    await brokerIs(rig, 'up');
    await waitUntil(async () => (await rig.backbone()).outboxMessages === 0, { what: 'the outbox is empty' });
    expect(await rig.backbone()).toMatchObject({ dropped: 0 });
    expect(await rig.cluster.run('audit', work.task)).toMatchObject({ code: 0 });
  }, 120_000);

  test('work on while the broker takes nothing, and the status says so until it takes again', async () => {
    await brokerIs(rig, 'up');
    await broker.setDiskFreeLimit('100000GB');
    const work = await rig.multiply(SHAPE, NODES);
    await brokerIs(rig, 'blocked');
    expect((await rig.backbone()).reason).toMatch(/disk/);
    expect(await rig.expectRight(work)).toMatchObject({ durability: 'local' });
    await broker.setDiskFreeLimit('50MB');
    await brokerIs(rig, 'up');
    await waitUntil(async () => (await rig.backbone()).outboxMessages === 0, { what: 'the outbox is empty' });
  }, 120_000);
});
