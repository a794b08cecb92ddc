import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { decode, firstLeaseOf, silentLogger, type BlockId, type SessionId, type TaskId } from '@muster/shared';
import { incomingResultName } from '@muster/shared/io';
import { newProviderState, type HeldWork } from '../src/core/provider-state.ts';
import { Driver, type DriverPorts } from '../src/driver.ts';
import type { BrokeredLease, ResultWay } from '../src/io/broker-link.ts';
import type { HeadLink } from '../src/io/head-link.ts';

const task = '0123456789abcdef' as TaskId;
const session = 'ab'.repeat(16) as SessionId;
const lease = firstLeaseOf(3);

const nothing = (): undefined => undefined;

const storeIn = (directory: string) => ({
  pathOf: (id: BlockId) => `${directory}/${id}`,
  incomingPath: (name: string) => `${directory}/incoming/${name}`,
});
const own = storeIn('/own');
const heads = storeIn('/head');

/** Finished by a process before this one. */
const finished = (path: string): HeldWork => ({
  lease,
  attempt: 2,
  task,
  taskType: 'matrix_mult',
  ranges: [0, 1],
  work: null,
  payload: null,
  mirrored: true,
  blocks: ['c'.repeat(32) as BlockId],
  phase: 'returned',
  revoked: false,
  receivedAtMs: 0,
  fetchMs: 1,
  result: { bytes: 4, computeMs: 1, path },
});

function driverWith(held: HeldWork): { driver: Driver; ways: ResultWay[]; spooled: string[] } {
  const ways: ResultWay[] = [];
  const spooled: string[] = [];
  const ports = {
    clock: { nowMs: () => 0 },
    logger: silentLogger,
    blocks: own,
    spool: {
      put: (work: HeldWork) => void spooled.push(`${work.lease}`),
      putSoon: (work: HeldWork) => void spooled.push(`${work.lease} soon`),
    },
    broker: { deliver: (_: HeldWork, way: ResultWay) => void ways.push(way) },
  } as unknown as DriverPorts;
  return { driver: new Driver(newProviderState([held]), ports), ways, spooled };
}

const copy: BrokeredLease = {
  lease: {
    task,
    lease,
    attempt: 2,
    taskType: 'echo',
    ranges: [0, 1],
    work: null,
    mirrored: true,
  },
  payload: null,
  epoch: 3,
  again: true,
};

test.each([
  { name: 'in our store goes into the stream of its task', store: own, way: 'stream' },
  { name: 'in the store of the head is there', store: heads, way: 'store' },
])('without a head, a result of an earlier process $name', ({ store, way }) => {
  const { driver, ways } = driverWith(finished(store.incomingPath(incomingResultName(task, lease))));
  expect(driver.brokered(copy)).toBe(true);
  expect(ways).toEqual([way]);
});

test('what goes to the head names its life and its session', () => {
  const { driver } = driverWith(finished(heads.incomingPath(incomingResultName(task, lease))));
  const sent: Uint8Array[][] = [];
  const link = { session, push: (frames: Uint8Array[]) => void sent.push(frames) } as unknown as HeadLink;
  driver.attach(link, heads);
  const terms = { keep: [lease], refused: [], missing: [], sharesStore: true, firstLease: firstLeaseOf(4) };
  driver.post({ type: 'registered', session, epoch: 4, ...terms });
  expect(sent.map((frames) => decode(frames))).toMatchObject([
    { epoch: 4, message: { type: 'result', session, lease } },
  ]);
});

test.each([
  { taskType: 'matrix_mult', what: 'a tile outlives the process', spools: [`${lease}`] },
  { taskType: 'train', what: 'a shard does not: its round is over by then', spools: [] },
])('$what', ({ taskType, spools }) => {
  const { driver, spooled } = driverWith({
    ...finished(own.incomingPath(incomingResultName(task, lease))),
    taskType,
  });
  driver.brokered(copy);
  expect(spooled).toEqual(spools);
});

test('a tile that a head is about to settle has a file only when it does not', () => {
  const { driver, spooled } = driverWith(finished(heads.incomingPath(incomingResultName(task, lease))));
  driver.attach({ session, push: nothing } as unknown as HeadLink, heads);
  const terms = { keep: [lease], refused: [], missing: [], sharesStore: true, firstLease: firstLeaseOf(4) };
  driver.post({ type: 'registered', session, epoch: 4, ...terms });
  expect(spooled).toEqual([`${lease} soon`]);
});

describe('compute that nobody wants any more', () => {
  const second = lease + 1;
  const fetching = (id: number): HeldWork => ({ ...finished(''), lease: id, phase: 'fetching', result: null });
  let aborts = 0;
  let endFirst = nothing as () => void;

  const driverAt = (startMs: number): Driver => {
    aborts = 0;
    const done = { bytes: 0, computeMs: 0, fallback: '' };
    const runs = [new Promise((resolve) => (endFirst = () => resolve(done))), new Promise(() => undefined)];
    const ports = {
      clock: { nowMs: () => 0 },
      logger: silentLogger,
      blocks: own,
      spool: { put: nothing, putSoon: nothing, drop: nothing },
      broker: { release: nothing },
      compute: { startMs, run: () => runs.shift(), abort: () => void (aborts += 1) },
    } as unknown as DriverPorts;
    const driver = new Driver(newProviderState([fetching(lease), fetching(second)]), ports);
    for (const id of [lease, second]) driver.post({ type: 'fetched', lease: id });
    return driver;
  };

  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  test('has a second to end, each lease its own', async () => {
    const driver = driverAt(0);
    driver.post({ type: 'revoked', leases: [lease] });
    await jest.advanceTimersByTimeAsync(500);
    endFirst();
    await jest.advanceTimersByTimeAsync(400);
    driver.post({ type: 'revoked', leases: [second] });
    await jest.advanceTimersByTimeAsync(900);
    expect(aborts).toBe(0);
    await jest.advanceTimersByTimeAsync(200);
    expect(aborts).toBe(1);
  });

  test('has as long as the next process would need to start', async () => {
    const driver = driverAt(5000);
    driver.post({ type: 'revoked', leases: [lease] });
    await jest.advanceTimersByTimeAsync(4900);
    expect(aborts).toBe(0);
    await jest.advanceTimersByTimeAsync(200);
    expect(aborts).toBe(1);
  });

  test('is not aborted as long as something that is wanted runs before it', async () => {
    const driver = driverAt(0);
    driver.post({ type: 'revoked', leases: [second] });
    await jest.advanceTimersByTimeAsync(3500);
    expect(aborts).toBe(0);
    endFirst();
    await jest.advanceTimersByTimeAsync(1000);
    expect(aborts).toBe(1);
  });
});
