import { describe, expect, test } from '@jest/globals';
import { deferred, silentLogger, taskTypeNamed, type TaskId, type TaskStatus } from '@muster/shared';
import { newClusterState } from '../src/core/cluster-state.ts';
import { defaultPolicy } from '../src/core/policy.ts';
import { Driver, type DriverPorts } from '../src/driver.ts';
import { noMirror } from '../src/io/mirror.ts';

const task = '0123456789abcdef' as TaskId;
const submitted = {
  type: 'submitted',
  task,
  taskType: taskTypeNamed('echo'),
  spec: { count: 1, bytes: 8, batch: 1 },
  nodes: 1,
  waitNodesMs: 1000,
  timeoutMs: 1000,
  durability: 'local',
} as const;

/** A driver whose journal is on disk when the test says so. */
function driverOnSlowDisk(): { driver: Driver; told: string[]; clock: { ms: number }; sync: () => Promise<void> } {
  const told: string[] = [];
  const clock = { ms: 0, nowMs: () => clock.ms };
  let synced = deferred<void>();
  const ports = {
    clock,
    random: () => 0,
    logger: silentLogger,
    journal: { append: () => undefined, durable: () => synced.promise },
    publisher: { closeTask: () => undefined },
    verifier: { close: () => undefined },
    incoming: { end: () => undefined },
    mirror: noMirror,
    results: { giveUp: () => undefined, remove: () => void told.push('removed') },
    epoch: 1,
    audience: {
      accepted: () => void told.push('accepted'),
      ended: (_: TaskId, { state }: TaskStatus) => void told.push(state),
      tile: () => undefined,
    },
  } as unknown as DriverPorts;
  const sync = async (): Promise<void> => {
    synced.resolve();
    await synced.promise;
    synced = deferred();
  };
  return { driver: new Driver(newClusterState(defaultPolicy, 1, 0), ports), told, clock, sync };
}

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
    expect(told.slice(0, 2)).toEqual(['accepted', 'cancelled']);
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
    expect(told).toEqual(['removed']);
  });
});
