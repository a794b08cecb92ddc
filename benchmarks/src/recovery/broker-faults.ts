import { isTerminal, MusterError, type TaskStatus } from '@muster/shared';
import { findRabbitServer, RabbitNode } from '@muster/rabbitmq/testkit';
import { waitUntil } from '@muster/shared/testkit';
import type { TaskHandle } from '@muster/user-client';
import { setTimeout } from 'node:timers/promises';
import { checkComplete } from '../mirror-watch.ts';
import { recovered, type Fault, type Recovery } from './fault.ts';
import { RecoveryRig } from './rig.ts';

const NODES = 2;
const SHARE = 0.2;
const AWAY_MS = 15_000;
const SLOWDOWN_MAX = 0.1;
/** n of the long product. */
const STEP = 512;
const SIZE_MAX = 24_576;

const missing = (): string => (findRabbitServer() === undefined ? 'needs rabbitmq-server' : '');

/** `longMs`: approximate length of the task during which the broker is away and comes back. */
export const brokerFaults = (longMs: number): readonly Fault[] => [
  {
    name: 'broker killed, back after 15 s',
    until: 'the task is done, which the broker has from its beginning to its end',
    targetMs: null,
    slowdownMax: SLOWDOWN_MAX,
    missing,
    run: () => killedAndBack(longMs),
  },
  {
    name: 'broker back',
    until: 'it has all that it missed',
    targetMs: 15_000,
    slowdownMax: null,
    missing,
    run: back,
  },
  {
    name: 'broker no longer blocked',
    until: 'it has all that it missed, start of rabbitmqctl included',
    targetMs: 5000,
    slowdownMax: null,
    missing,
    run: unblocked,
  },
];

/** Runs the same product twice on the same nodes, without and with the fault. */
function killedAndBack(longMs: number): Promise<Recovery> {
  return withBroker(async (rig, broker) => {
    // The first product also pays one-time costs.
    const size = sizeFor(await rig.finished(await rig.product(NODES)), longMs);
    const free = await rig.finished(await rig.product(NODES, size));
    await checkComplete(rig.client);
    const work = await rig.product(NODES, size);
    await rig.reached(work, SHARE);
    await broker.kill();
    await setTimeout(AWAY_MS);
    await broker.restart();
    await stateIs(rig, 'up');
    await checkUnderWay(rig, work);
    const { wallMs } = await rig.finished(work);
    await checkComplete(rig.client);
    await checkAudit(rig, work);
    return { ms: wallMs, faultFreeMs: free.wallMs };
  });
}

/** n of a product that takes about `longMs`: restarting a broker takes seconds of a core, which must be negligible beside it. */
function sizeFor({ gflops }: TaskStatus, longMs: number): number {
  const n = Math.cbrt((gflops * 1e6 * longMs) / 2);
  return STEP * Math.min(SIZE_MAX / STEP, Math.ceil(n / STEP));
}

async function checkUnderWay({ client }: RecoveryRig, { taskId }: TaskHandle): Promise<void> {
  const { state } = await client.task(taskId);
  if (isTerminal(state)) throw new MusterError('BUG', `the task was ${state} before the broker was back`);
}

async function checkAudit({ client }: RecoveryRig, { taskId }: TaskHandle): Promise<void> {
  const { problems, accepted, subtasks, broker } = await client.audit(taskId);
  if (problems.length === 0 && accepted === subtasks && broker.read && broker.missing === 0) return;
  throw new MusterError(
    'BUG',
    `of ${subtasks} subtasks ${accepted} were accepted, ${broker.missing} not in the broker`,
    {
      why: problems[0] ?? broker.reason,
    },
  );
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
