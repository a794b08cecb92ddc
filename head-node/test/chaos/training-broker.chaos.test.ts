/** Training with a real broker beside the cluster: copies of leases of rounds that are over must hold nothing up. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RabbitNode } from '@muster/rabbitmq/testkit';
import { waitUntil } from '@muster/shared/testkit';
import { FaultRig } from './fault-rig.ts';
import { reachedStep, startTraining, STEPS_OF_EPOCH, trained } from './training-rig.ts';

const LONG = process.env['MUSTER_CHAOS'] === 'long';
const EPOCHS = LONG ? 10 : 3;
const STEPS = EPOCHS * STEPS_OF_EPOCH;

const NEAR = { name: 'that read the files of the head', node: [], head: [] };
const FAR = {
  name: 'that get everything over the wire',
  node: ['--blocks', 'wire'],
  head: ['--mirror-blocks', 'always'],
};

let broker: RabbitNode;
let rig: FaultRig;

beforeAll(async () => {
  broker = await RabbitNode.start();
}, 100_000);

afterAll(() => broker.stop(), 30_000);

const queuesAreEmpty = async (): Promise<void> => {
  let queued = new Map<string, number>();
  await waitUntil(async () => (queued = await broker.queued()).size === 0, {
    what: 'the queues are empty',
    timeoutMs: 20_000,
  }).catch((cause: unknown) => {
    throw new Error(`the queues have ${[...queued].join('; ')}`, { cause });
  });
};

describe.each(LONG ? [NEAR, FAR] : [NEAR])('a run on nodes $name', ({ node, head }) => {
  beforeAll(async () => {
    const programs = { providerArguments: ['--threads', '1', ...node], headArguments: head };
    rig = await FaultRig.start({ providers: 3, env: { AMQP_URL: broker.url }, ...programs });
    await waitUntil(async () => (await rig.backbone()).state === 'up', { what: 'backbone: up' });
  }, 120_000);

  afterAll(() => rig.end(), 30_000);

  test('ends by itself when a node and then the head are killed, and leaves nothing in the queues', async () => {
    const run = await startTraining(rig, { nodes: 3, epochs: EPOCHS });
    await reachedStep(rig, run, 0.3 * STEPS);
    await rig.cluster.kill(rig.program('node-3'));
    await reachedStep(rig, run, 0.6 * STEPS);
    await rig.cluster.kill(rig.cluster.cluster.head);
    await rig.cluster.cluster.restartHead();
    expect(await trained(run)).toMatchObject({ state: 'done', steps: STEPS });
    await rig.rejoin('node-3');
    await queuesAreEmpty();
  }, 120_000);

  test('ends by itself when the broker is killed and comes back', async () => {
    const run = await startTraining(rig, { nodes: 3, epochs: EPOCHS });
    await reachedStep(rig, run, 0.3 * STEPS);
    await broker.kill();
    await reachedStep(rig, run, 0.6 * STEPS);
    await broker.restart();
    expect(await trained(run)).toMatchObject({ state: 'done', steps: STEPS });
    await queuesAreEmpty();
  }, 120_000);
});
