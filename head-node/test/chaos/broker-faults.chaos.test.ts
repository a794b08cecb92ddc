/** A real broker beside the cluster: killed, stopped, blocked, and alone with the providers while the head is away. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RabbitNode } from '@muster/rabbitmq/testkit';
import { waitUntil } from '@muster/shared/testkit';
import { FaultRig, type Shape } from './fault-rig.ts';

const SHAPE: Shape = [4096, 3072, 4096];
const NAMES = ['node-1', 'node-2', 'node-3'];
/** The scheduled long run leaves the head away for longer than its nodes have work. */
const AWAY_MIN_MS = process.env['MUSTER_CHAOS'] === 'long' ? 20_000 : 0;
const REPEATED_SHARE_MAX = 0.05;

let broker: RabbitNode;

beforeAll(async () => {
  broker = await RabbitNode.start();
}, 100_000);

afterAll(() => broker.stop(), 30_000);

const brokerIs = (rig: FaultRig, wanted: string): Promise<unknown> =>
  waitUntil(async () => (await rig.backbone()).state === wanted, { what: `backbone: ${wanted}`, timeoutMs: 40_000 });

/** Those that are not empty. */
async function queuesAre(wanted: (names: readonly string[]) => boolean): Promise<void> {
  let queued = new Map<string, number>();
  const hold = async (): Promise<boolean> => wanted([...(queued = await broker.queued()).keys()]);
  await waitUntil(hold, { what: 'the queues', timeoutMs: 40_000 }).catch((cause: unknown) => {
    throw new Error(`the queues have ${[...queued].join('; ')}`, { cause });
  });
}

/** Kills the head. Resolves, when its nodes have nothing left to do, to the subtasks that they finished without it. */
async function finishedAlone(rig: FaultRig): Promise<number[]> {
  await rig.cluster.kill(rig.cluster.cluster.head);
  const sinceMs = Date.now();
  await queuesAre((names) => names.join() === 'results');
  await waitUntil(() => Date.now() - sinceMs >= AWAY_MIN_MS, {
    what: 'the time away',
    timeoutMs: AWAY_MIN_MS + 1000,
  });
  return NAMES.flatMap((name) => rig.finishedBy(name, sinceMs));
}

const shareIn = (subtasks: readonly number[], found: ReadonlySet<number>): number =>
  subtasks.filter((subtask) => found.has(subtask)).length / subtasks.length;

const killed = ['killed', (): Promise<void> => broker.sync().then(() => broker.kill())] as const;
/** It closes the connections itself, with a reason. */
const stopped = ['stopped', (): Promise<void> => broker.shutDown()] as const;

describe.each([
  { name: 'that read the files of the head', node: [], head: [], ends: [killed, stopped] },
  {
    name: 'that get everything over the wire',
    node: ['--blocks', 'wire'],
    head: ['--mirror-blocks', 'always'],
    ends: [killed],
  },
])('nodes $name', ({ node, head, ends }) => {
  let rig: FaultRig;

  beforeAll(async () => {
    rig = await FaultRig.start({
      providers: NAMES.length,
      env: { AMQP_URL: broker.url },
      providerArguments: ['--threads', '1', ...node],
      headArguments: head,
    });
  }, 60_000);

  afterAll(() => rig.end(), 30_000);

  test('finish what they have while the head is away; a head that finds no node takes it from the broker', async () => {
    await brokerIs(rig, 'up');
    const work = await rig.multiply(SHAPE, NAMES.length);
    await rig.reached(work, 0.3);
    await waitUntil(async () => (await rig.backbone()).blockOutboxBytes === 0, { what: 'the broker has the operands' });
    const finished = await finishedAlone(rig);
    expect(finished.length).toBeGreaterThan(0);
    for (const name of NAMES) await rig.cluster.kill(rig.program(name));
    await rig.cluster.cluster.restartHead();
    await queuesAre(({ length }) => length === 0);
    expect((await rig.observer.nodes()).filter(({ state }) => state === 'ready')).toEqual([]);
    expect(shareIn(finished, await rig.acceptedOf(work))).toBeGreaterThanOrEqual(1 - REPEATED_SHARE_MAX);
    await Promise.all(NAMES.map((name) => rig.rejoin(name)));
    const outcome = await rig.expectRight(work);
    expect(outcome).toMatchObject({ state: 'done', rejectedTiles: 0, durability: 'mirrored' });
    await rig.expectOnce(work);
    expect(shareIn(finished, new Set(rig.givenOf(work)))).toBeLessThanOrEqual(REPEATED_SHARE_MAX);
  }, 120_000);

  test.each(ends)(
    'do not notice a broker that is %s in the middle of a task',
    async (_ended, end) => {
      await brokerIs(rig, 'up');
      const work = await rig.multiply(SHAPE, NAMES.length);
      await rig.reached(work, 0.2);
      await end();
      await rig.expectRight(work);
      expect(['down', 'connecting']).toContain((await rig.backbone()).state);
      await broker.restart();
      await brokerIs(rig, 'up');
      await waitUntil(async () => (await rig.backbone()).outboxMessages === 0, { what: 'the outbox is empty' });
      expect(await rig.backbone()).toMatchObject({ dropped: 0 });
      expect(await rig.observer.audit(work.task)).toMatchObject({ problems: [], broker: { read: true } });
    },
    120_000,
  );

  test('work on while the broker takes nothing, and the status says so until it takes again', async () => {
    await brokerIs(rig, 'up');
    await broker.setDiskFreeLimit('100000GB');
    const work = await rig.multiply(SHAPE, NAMES.length);
    await brokerIs(rig, 'blocked');
    expect((await rig.backbone()).reason).toMatch(/disk/);
    expect(await rig.expectRight(work)).toMatchObject({ durability: 'local' });
    await broker.setDiskFreeLimit('50MB');
    await brokerIs(rig, 'up');
    await waitUntil(async () => (await rig.backbone()).outboxMessages === 0, { what: 'the outbox is empty' });
  }, 120_000);
});
