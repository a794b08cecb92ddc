import { expect, test } from '@jest/globals';
import { decode, firstLeaseOf, silentLogger, type BlockId, type SessionId, type TaskId } from '@muster/shared';
import { incomingResultName } from '@muster/shared/io';
import { newProviderState, type HeldWork } from '../src/core/provider-state.ts';
import { Driver, type DriverPorts } from '../src/driver.ts';
import type { BrokeredLease, ResultWay } from '../src/io/broker-link.ts';
import type { HeadLink } from '../src/io/head-link.ts';

const task = '0123456789abcdef' as TaskId;
const session = 'ab'.repeat(16) as SessionId;
const lease = firstLeaseOf(3);

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

function driverWith(held: HeldWork): { driver: Driver; ways: ResultWay[]; spooled: number[] } {
  const ways: ResultWay[] = [];
  const spooled: number[] = [];
  const ports = {
    clock: { nowMs: () => 0 },
    logger: silentLogger,
    blocks: own,
    spool: { put: (work: HeldWork) => void spooled.push(work.lease) },
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
  { taskType: 'matrix_mult', what: 'a tile outlives the process', spools: [lease] },
  { taskType: 'train', what: 'a shard does not: its round is over by then', spools: [] },
])('$what', ({ taskType, spools }) => {
  const { driver, spooled } = driverWith({
    ...finished(own.incomingPath(incomingResultName(task, lease))),
    taskType,
  });
  driver.brokered(copy);
  expect(spooled).toEqual(spools);
});
