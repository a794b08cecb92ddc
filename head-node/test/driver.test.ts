import { describe, expect, test } from '@jest/globals';
import {
  deferred,
  silentLogger,
  taskTypeNamed,
  toWireError,
  type SessionId,
  type TaskId,
  type TaskStatus,
} from '@muster/shared';
import { deviceFacts, waitUntil } from '@muster/shared/testkit';
import { newClusterState } from '../src/core/cluster-state.ts';
import type { LeaseOrder } from '../src/core/effects.ts';
import { defaultPolicy } from '../src/core/policy.ts';
import { Driver, type DriverPorts } from '../src/driver.ts';
import { echoJudge } from '../src/judges/echo-judge.ts';
import { noMirror, type Mirror } from '../src/io/mirror.ts';
import { idOf } from './core/cluster-rig.ts';

const task = '0123456789abcdef' as TaskId;
const session = 'ab'.repeat(16) as SessionId;
const nothing = (): undefined => undefined;

const submitted = {
  type: 'submitted',
  task,
  taskType: taskTypeNamed('echo'),
  spec: { count: 1, bytes: 8, batch: 1 },
  nodes: 1,
  waitNodesMs: 1000,
  timeoutMs: 1000,
  durability: 'local',
  user: null,
} as const;

interface SlowDisk {
  readonly driver: Driver;
  /** What clients, the broker and the result store were told, in order. */
  readonly told: string[];
  readonly clock: { ms: number };
  readonly orders: LeaseOrder[];
  readonly runs: { checkpointBytes: number };
  /** Everything written so far is on disk. */
  readonly sync: () => Promise<void>;
}

/** A driver whose journal is on disk when the test says so. */
function driverOnSlowDisk(): SlowDisk {
  const told: string[] = [];
  const orders: LeaseOrder[] = [];
  const runs = { forget: nothing, giveUp: nothing, checkpointBytes: 0 };
  const clock = { ms: 0, nowMs: () => clock.ms };
  let synced = deferred<void>();
  const mirror: Mirror = {
    ...noMirror,
    leaseFirst: (order, _, { send }) => {
      orders.push(order);
      send();
    },
    settled: (leases) => void told.push(...leases.map(() => 'copy acknowledged')),
    ended: () => void told.push('copies dropped'),
  };
  const ports = {
    clock,
    random: () => 0,
    logger: silentLogger,
    journal: { append: nothing, durable: () => synced.promise },
    publisher: {
      publish: (_: SessionId, { type }: { type: string }) => {
        if (type === 'settled') told.push(type);
        return [];
      },
      closeTask: nothing,
    },
    judges: { echo: echoJudge, matrix_mult: { close: nothing } },
    runs,
    incoming: { end: nothing, discard: nothing },
    mirror,
    maxResultBytes: 100,
    results: { usedBytes: 60, giveUp: nothing, remove: () => void told.push('removed') },
    trust: { quarantined: nothing, forgotten: () => void told.push('forgotten') },
    epoch: 1,
    audience: {
      accepted: () => void told.push('accepted'),
      ended: (_: TaskId, { state }: TaskStatus) => void told.push(state),
      tile: nothing,
    },
  } as unknown as DriverPorts;
  const sync = async (): Promise<void> => {
    synced.resolve();
    await synced.promise;
    synced = deferred();
  };
  return { driver: new Driver(newClusterState(defaultPolicy, 1, 0), ports), told, clock, orders, runs, sync };
}

/** One node has the only lease of the task. */
async function leased(): Promise<SlowDisk & { readonly order: LeaseOrder }> {
  const disk = driverOnSlowDisk();
  const { driver, orders, told, sync } = disk;
  const facts = { provider: idOf('a'), session, name: 'a', platform: 'test-x64', device: deviceFacts(), credit: 2 };
  driver.post({ ...facts, type: 'registered', held: [] });
  driver.post({ type: 'provider-ready', session, sharesStore: true });
  driver.post(submitted);
  await sync();
  told.length = 0;
  const [order] = orders;
  if (order === undefined) throw new Error('there is no lease');
  return { ...disk, order };
}

const resultOf = ({ lease, payload }: LeaseOrder) =>
  [{ type: 'returned', session, task, lease, bytes: payload?.length ?? 0, computeMs: 1, fetchMs: 0 }, payload] as const;

test('checkpoints and results have the disk together', async () => {
  const { driver, told, runs, sync } = driverOnSlowDisk();
  driver.post(submitted);
  await sync();
  const grown = {
    type: 'rounds-failed',
    task,
    error: toWireError(new Error('of another type')),
    report: null,
  } as const;
  runs.checkpointBytes = 40;
  driver.trained(grown);
  expect(driver.state.tasks.get(task)?.state).not.toBe('failed');
  runs.checkpointBytes = 41;
  driver.trained(grown);
  expect(driver.state.tasks.get(task)?.error).toMatchObject({ code: 'DISK_FULL' });
  await sync();
  expect(told).toContain('failed');
});

describe('what a client is told', () => {
  test('is on disk before', async () => {
    const { driver, told, sync } = driverOnSlowDisk();
    driver.post(submitted);
    expect(told).toEqual([]);
    await sync();
    expect(told).toEqual(['accepted']);
    driver.post({ type: 'cancelled', task });
    expect(told).toEqual(['accepted']);
    await sync();
    expect(told).toEqual(['accepted', 'copies dropped', 'cancelled', 'removed']);
  });

  test('results go when the journal knows that they do', async () => {
    const { driver, told, clock, sync } = driverOnSlowDisk();
    driver.post(submitted);
    driver.post({ type: 'cancelled', task });
    await sync();
    told.length = 0;
    clock.ms = 2 * defaultPolicy.resultTtlMs;
    driver.post({ type: 'tick' });
    expect(told).toEqual([]);
    await sync();
    expect(told).toEqual(['removed', 'forgotten']);
  });

  test('whose task it is stays known when it is submitted again under its name', async () => {
    const { driver, told, clock, sync } = driverOnSlowDisk();
    driver.post(submitted);
    driver.post({ type: 'cancelled', task });
    await sync();
    clock.ms = 2 * defaultPolicy.resultTtlMs;
    driver.post({ type: 'tick' });
    driver.post(submitted);
    await sync();
    expect(told).toContain('removed');
    expect(told).not.toContain('forgotten');
  });
});

describe('what the broker has of a result', () => {
  test('is needed until the journal has on disk that it was accepted', async () => {
    const { driver, told, order, sync } = await leased();
    driver.returned(...resultOf(order));
    expect(driver.state.tasks.get(task)?.state).toBe('done');
    expect([driver.state.leases.has(order.lease), driver.isOpen(order.lease), driver.isRunning(task)]).toEqual([
      false,
      true,
      true,
    ]);
    // It comes twice.
    driver.returned(...resultOf(order));
    expect(told).toEqual([]);
    await sync();
    const settled = async (): Promise<boolean> => {
      await sync();
      return told.includes('settled');
    };
    await waitUntil(settled, { what: 'the settlement' });
    expect(told).toEqual(['copies dropped', 'done', 'copy acknowledged', 'copy acknowledged', 'settled']);
    expect([driver.isOpen(order.lease), driver.isRunning(task)]).toEqual([false, false]);
  });

  test('is let go at once where nobody waits for it', async () => {
    const { driver, told, order } = await leased();
    driver.returned({ ...resultOf(order)[0], lease: order.lease + 1 }, null);
    expect(told).toEqual(['copy acknowledged']);
  });

  test('stays where a head was stopped before it had written down the end', async () => {
    const { driver, told, order, sync } = await leased();
    driver.returned(...resultOf(order));
    driver.stop();
    await sync();
    expect(told).toEqual([]);
  });
});
