/**
 * Warm up, run undisturbed, run with faults drawn by a seed while products and an echo are under way; then nothing may be lost,
 * counted twice, or left over. `MUSTER_CHAOS_SEED=n` repeats a failure, `MUSTER_CHAOS=long` goes on for longer.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { seededRandom, type Random } from '@muster/shared';
import { taskOfIncoming } from '@muster/shared/io';
import { RabbitNode } from '@muster/rabbitmq/testkit';
import { skipBecause, waitUntil } from '@muster/shared/testkit';
import type { TaskHandle } from '@muster/user-client';
import { FaultRig, type Shape, type UnderWay } from './fault-rig.ts';
import { faultsOf, type Fault } from './faults.ts';

const linuxTest = process.platform === 'linux' ? test : skipBecause('only /proc tells the children of another process');

const SEED = Number(process.env['MUSTER_CHAOS_SEED'] ?? 1);
const FAULTS = process.env['MUSTER_CHAOS'] === 'long' ? 30 : 4;
const NODES = 3;
const FAULT_MAX_MS = 30_000;
const ECHO_COUNT = 300_000;

let broker: RabbitNode;
let rig: FaultRig;
/** Of everything that was begun. */
let products: UnderWay[];
let echoes: TaskHandle[];

beforeAll(async () => {
  broker = await RabbitNode.start();
  rig = await FaultRig.start({ providers: NODES, env: { AMQP_URL: broker.url } });
  products = [];
  echoes = [];
}, 100_000);

afterAll(async () => {
  await rig.end();
  await broker.stop();
}, 60_000);

/** Each of another shape, so that each has files of its own. */
async function beginProduct([m, k, n]: Shape = [3072, 2048, 3072]): Promise<UnderWay> {
  const work = await rig.multiply([m + 16 * products.length, k, n], NODES);
  products.push(work);
  return work;
}

const beginEcho = async (): Promise<void> =>
  void echoes.push(await rig.observer.echo({ count: ECHO_COUNT, nodes: NODES, timeoutMs: 120_000 }));

/** The latest product, as long as there is enough left of it for a fault to hit; else a new one. */
async function productUnderWay(): Promise<UnderWay> {
  const latest = products.at(-1);
  const status = latest === undefined ? null : await rig.observer.task(latest.task);
  const isYoung = status?.state === 'running' && status.acceptedTiles < 0.4 * status.tiles;
  const work = isYoung && latest !== undefined ? latest : await beginProduct();
  await rig.reached(work, 0.1);
  return work;
}

async function chaos(random: Random): Promise<void> {
  const faults: Readonly<Record<string, Fault>> = { ...faultsOf(rig), 'the broker is killed': killBroker };
  const names = Object.keys(faults);
  for (let round = 0; round < FAULTS; round++) {
    const name = names[Math.floor(random() * names.length)] ?? '';
    try {
      const restore = await faults[name]?.(await productUnderWay());
      await restore?.();
    } catch (cause) {
      throw new Error(`seed ${SEED}, fault ${round}: ${name}: ${String(cause)}`, { cause });
    }
  }
}

async function killBroker(): Promise<() => Promise<void>> {
  await broker.sync();
  await broker.kill();
  return () => broker.restart();
}

async function expectAllRight(): Promise<void> {
  for (const work of products) {
    expect(await rig.expectRight(work)).toMatchObject({ state: 'done', rejectedTiles: 0 });
    await rig.expectOnce(work);
  }
  for (const echo of echoes) {
    const status = await echo.wait();
    expect(status).toMatchObject({ state: 'done', acceptedTiles: ECHO_COUNT, verifiedTiles: ECHO_COUNT });
    expect(status.nodes.reduce((sum, { subtasks }) => sum + subtasks, 0)).toBe(ECHO_COUNT);
  }
}

/**
 * All slots are free, the broker has everything, no result is on its way or kept by a node, and no queue holds anything. The head must
 * have found the broker again before its queues are counted: one that has just started says 0 of queues that are full.
 */
async function expectNothingLeft(): Promise<void> {
  const idle = async (): Promise<boolean> => {
    const nodes = await rig.observer.nodes();
    return nodes.length === NODES && nodes.every(({ state, running }) => state === 'ready' && running === 0);
  };
  await waitUntil(idle, { what: 'all nodes are ready and idle', timeoutMs: 30_000 });
  const mirrored = async (): Promise<boolean> => {
    const { state, outboxMessages } = await rig.backbone();
    return state === 'up' && outboxMessages === 0;
  };
  await waitUntil(mirrored, { what: 'the broker has everything', timeoutMs: 30_000 });
  await waitUntil(() => leftFiles().length === 0, { what: 'no result is on its way' }).catch((cause: unknown) => {
    throw new Error(`left: ${leftFiles().join(', ')}`, { cause });
  });
  await waitUntil(async () => (await broker.queued()).size === 0, {
    what: 'the queues are empty',
    timeoutMs: 30_000,
  }).catch(async (cause: unknown) => {
    throw new Error(`left: ${[...(await broker.queued())].join('; ')}`, { cause });
  });
}

function leftFiles(): string[] {
  const at = (...path: string[]): string[] => readdirSync(join(rig.cluster.cluster.directory, ...path));
  const spooled = Array.from({ length: NODES }, (_, node) => at(`node-${node + 1}`, 'spool')).flat();
  return [...at('head', 'store', 'incoming').filter((name) => taskOfIncoming(name) !== null), ...spooled];
}

describe('three phases', () => {
  linuxTest(
    `a cluster that went through ${FAULTS} faults is as before (seed ${SEED})`,
    async () => {
      await waitUntil(async () => (await rig.backbone()).state === 'up', { what: 'backbone: up' });
      await beginProduct([1024, 1024, 1024]);
      await expectAllRight();

      await beginEcho();
      await beginProduct();
      await expectAllRight();
      await expectNothingLeft();

      await beginEcho();
      await beginProduct();
      await chaos(seededRandom(SEED));
      await expectAllRight();
      await expectNothingLeft();
    },
    60_000 + FAULTS * FAULT_MAX_MS,
  );
});
