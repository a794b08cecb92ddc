import { expect, test } from '@jest/globals';
import { MusterError, silentLogger, taskTypeNamed, type BlockId, type SessionId, type TaskId } from '@muster/shared';
import { deviceFacts, waitUntil } from '@muster/shared/testkit';
import { newClusterState } from '../src/core/cluster-state.ts';
import { defaultPolicy } from '../src/core/policy.ts';
import { Driver, type DriverPorts } from '../src/driver.ts';
import { noMirror } from '../src/io/mirror.ts';
import { idOf } from './core/cluster-rig.ts';

const task = '0123456789abcdef' as TaskId;
const session = 'ab'.repeat(16) as SessionId;
const nothing = (): undefined => undefined;

interface Outside {
  readonly check: () => Promise<unknown>;
  /** What the result store does with a result that was found right. */
  readonly accept?: () => void;
}

const cannotCheck: Outside = {
  check: () => Promise.reject(new MusterError('BLOCK_MISSING', 'an operand is gone')),
};
const right = { ok: true, why: '', verifyMs: 1, digest: 'd' };

/** A driver with one node at a product of one tile. */
function driverWith({ check, accept = nothing }: Outside): Driver {
  const ports = {
    clock: { nowMs: () => 0 },
    random: () => 0,
    logger: silentLogger,
    journal: { append: nothing, durable: () => Promise.resolve() },
    publisher: { publish: () => [], closeTask: nothing },
    blocks: { pathOf: String, unpin: nothing },
    incoming: { pathOf: () => 'tile', discard: nothing, end: nothing },
    results: { giveUp: nothing, remove: nothing, pathOf: String, accept, usedBytes: 0 },
    spares: { used: nothing },
    maxResultBytes: Infinity,
    judges: { matrix_mult: { open: nothing, close: nothing, judge: check } },
    runs: { forget: nothing, giveUp: nothing },
    mirror: noMirror,
    trust: { quarantined: nothing, forgotten: nothing },
    epoch: 1,
    audience: { accepted: nothing, ended: nothing, tile: nothing },
  } as unknown as DriverPorts;
  const driver = new Driver(newClusterState(defaultPolicy, 1, 0), ports);
  const facts = { provider: idOf('a'), session, name: 'a', platform: 'test-x64', device: deviceFacts(), credit: 2 };
  driver.post({ ...facts, type: 'registered', held: [] });
  driver.post({ type: 'provider-ready', session, sharesStore: true });
  submitProduct(driver);
  return driver;
}

function submitProduct(driver: Driver): void {
  const taskType = taskTypeNamed('matrix_mult');
  const spec = taskType.parseSpec({ m: 4, k: 4, n: 4, dtype: 'float32', grid: 'auto' });
  const terms = { nodes: 1, waitNodesMs: 1000, timeoutMs: 1000, durability: 'local' } as const;
  driver.post({ ...terms, type: 'submitted', task, taskType, spec, user: null });
  for (const operand of ['a', 'b'])
    driver.post({ type: 'bound', task, operand, block: 0, id: operand.repeat(32) as BlockId, bytes: 64 });
}

/** The tile comes in. Returns its lease. */
function deliver(driver: Driver): number {
  const [lease = 0] = driver.state.leases.keys();
  driver.post({ type: 'returned', session, task, lease, bytes: 64, computeMs: 1, fetchMs: 0 });
  return lease;
}

test('a head that cannot check fails the task with the reason, and blames no node', async () => {
  const driver = driverWith(cannotCheck);
  deliver(driver);
  const failed = await waitUntil(() => [...driver.state.ended].find(({ id }) => id === task), { what: 'the end' });
  expect(failed).toMatchObject({ state: 'failed', rejected: 0, error: { code: 'BLOCK_MISSING' } });
  expect(driver.state.providers.get(idOf('a'))?.rejected).toBe(0);
  driver.stop();
});

test('a result for which the disk has no room waits for some, and is accepted once', async () => {
  let tries = 0;
  const accept = (): void => {
    tries += 1;
    if (tries < 3) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  };
  const driver = driverWith({ check: () => Promise.resolve(right), accept });
  const lease = deliver(driver);
  await waitUntil(() => tries > 1, { what: 'a second try' });
  expect(driver.state.leases.get(lease)?.phase).toBe('checking');
  const done = await waitUntil(() => [...driver.state.ended].find(({ id }) => id === task), { what: 'the end' });
  expect([done.state, done.verified, tries]).toEqual(['done', 1, 3]);
  driver.stop();
});

test('a result whose file is gone is checked again', async () => {
  let checks = 0;
  const check = (): Promise<unknown> => {
    checks += 1;
    return Promise.resolve(right);
  };
  const accept = (): void => {
    throw new MusterError('BLOCK_MISSING', 'a result is not in the store');
  };
  const driver = driverWith({ check, accept });
  deliver(driver);
  const failed = await waitUntil(() => [...driver.state.ended].find(({ id }) => id === task), { what: 'the end' });
  expect(failed).toMatchObject({ state: 'failed', rejected: 0, error: { code: 'BLOCK_MISSING' } });
  expect(checks).toBe(3);
  driver.stop();
});

test('a driver that was stopped decides nothing any more', () => {
  const driver = driverWith(cannotCheck);
  driver.stop();
  driver.post({ type: 'cancelled', task });
  expect(driver.state.tasks.get(task)?.state).toBe('running');
});
