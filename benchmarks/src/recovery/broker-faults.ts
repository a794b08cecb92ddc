import { findRabbitServer, RabbitNode } from '@muster/rabbitmq/testkit';
import { waitUntil } from '@muster/shared/testkit';
import { checkComplete } from '../mirror-watch.ts';
import { recovered, type Fault, type Recovery } from './fault.ts';
import { RecoveryRig } from './rig.ts';

const NODES = 2;
const SHARE = 0.2;

const missing = (): string => (findRabbitServer() === undefined ? 'needs rabbitmq-server' : '');

export const brokerFaults: readonly Fault[] = [
  { name: 'broker killed', until: 'the task is done', targetMs: null, missing, run: killed },
  { name: 'broker back', until: 'it has all that it missed', targetMs: 15_000, missing, run: back },
  {
    name: 'broker no longer blocked',
    until: 'it has all that it missed, start of rabbitmqctl included',
    targetMs: 5000,
    missing,
    run: unblocked,
  },
];

/** The broker stays away for the rest of the task. */
function killed(): Promise<Recovery> {
  return withBroker(async (rig, broker) => {
    // The first product also pays for what is made once.
    await rig.finished(await rig.product(NODES));
    const free = await rig.finished(await rig.product(NODES));
    await checkComplete(rig.client);
    const work = await rig.product(NODES);
    await rig.reached(work, SHARE);
    await broker.kill();
    const { wallMs } = await rig.finished(work);
    await broker.restart();
    await checkComplete(rig.client);
    return { ms: wallMs, faultFreeMs: free.wallMs };
  });
}

function back(): Promise<Recovery> {
  return withBroker(async (rig, broker) => {
    const work = await rig.product(NODES);
    await rig.reached(work, SHARE);
    await broker.kill();
    await rig.finished(work);
    await broker.restart();
    const startMs = performance.now();
    await checkComplete(rig.client);
    return recovered(performance.now() - startMs);
  });
}

function unblocked(): Promise<Recovery> {
  return withBroker(async (rig, broker) => {
    await broker.setDiskFreeLimit('100000GB');
    const work = await rig.product(NODES);
    await stateIs(rig, 'blocked');
    await rig.finished(work);
    const startMs = performance.now();
    await broker.setDiskFreeLimit('50MB');
    await checkComplete(rig.client);
    return recovered(performance.now() - startMs);
  });
}

async function withBroker(body: (rig: RecoveryRig, broker: RabbitNode) => Promise<Recovery>): Promise<Recovery> {
  const broker = await RabbitNode.start();
  try {
    return await RecoveryRig.with({ providers: NODES, amqpUrl: broker.url }, async (rig) => {
      await stateIs(rig, 'up');
      await broker.sync();
      return body(rig, broker);
    });
  } finally {
    await broker.stop();
  }
}

const stateIs = ({ client }: RecoveryRig, wanted: string): Promise<unknown> =>
  waitUntil(async () => (await client.cluster()).backbone.state === wanted, {
    what: `the broker is ${wanted}`,
    timeoutMs: 30_000,
  });
