import { afterEach, expect, test } from '@jest/globals';
import { deferred, silentLogger, taskTypeNamed, type BlockId, type SessionId } from '@muster/shared';
import { deviceFacts, echoSpec, waitUntil } from '@muster/shared/testkit';
import { newClusterState } from '../src/core/cluster-state.ts';
import { defaultPolicy } from '../src/core/policy.ts';
import { echoJudge } from '../src/judges/echo-judge.ts';
import { Driver, type DriverPorts } from '../src/driver.ts';
import { MirrorRig, NODE, stopRigs, TASK } from './io/mirror-rig.ts';

afterEach(stopRigs);

const session = 'ab'.repeat(16) as SessionId;
const echo = taskTypeNamed('echo');
const spec = echoSpec({ count: 1 });
const payload = echo.payload(spec, [0]) ?? new Uint8Array();
const nothing = (): undefined => undefined;

/** A head with one node at an echo of one subtask. Its journal is on disk when the test says so. */
async function headOnSlowDisk(rig: MirrorRig): Promise<{ driver: Driver; sync: () => Promise<void> }> {
  let synced = deferred<void>();
  const ports = {
    clock: { nowMs: () => 0 },
    random: () => 0,
    logger: silentLogger,
    journal: { append: nothing, durable: () => synced.promise },
    publisher: { publish: () => [], closeTask: nothing },
    judges: { echo: echoJudge, matrix_mult: { close: nothing } },
    runs: { forget: nothing, giveUp: nothing },
    incoming: { discard: nothing, end: nothing },
    mirror: rig.mirror,
    trust: { quarantined: nothing, forgotten: nothing },
    epoch: 1,
    audience: { accepted: nothing, ended: nothing, tile: nothing },
  } as unknown as DriverPorts;
  const driver = new Driver(newClusterState(defaultPolicy, 1, 0), ports);
  await rig.start(driver);
  const facts = { provider: NODE, session, name: 'a', platform: 'test-x64', device: deviceFacts(), credit: 2 };
  driver.post({ ...facts, type: 'registered', held: [] });
  driver.post({ type: 'provider-ready', session, sharesStore: true });
  const terms = { nodes: 1, waitNodesMs: 1000, timeoutMs: 1000, durability: 'mirrored' } as const;
  driver.post({ ...terms, type: 'submitted', task: TASK, taskType: echo, spec, user: null });
  const sync = async (): Promise<void> => {
    synced.resolve();
    await synced.promise;
    synced = deferred();
  };
  return { driver, sync };
}

test("the broker keeps a task's results and its stream until the journal has the end of it on disk", async () => {
  const rig = new MirrorRig();
  const { driver, sync } = await headOnSlowDisk(rig);
  await sync();
  rig.mirror.block(TASK, 'b'.repeat(32) as BlockId);
  const [lease = 0] = driver.state.leases.keys();
  await rig.deliver(lease, {}, payload);
  await waitUntil(() => driver.state.tasks.get(TASK)?.state === 'done', { what: 'the end' });
  // A head that is killed here has not its last acceptance on disk.
  expect(await rig.unacknowledged()).toBe(1);
  expect(rig.broker.has(`t.${TASK}.blocks`)).toBe(true);
  const isClear = async (): Promise<boolean> => {
    await sync();
    return (await rig.unacknowledged()) === 0 && !rig.broker.has(`t.${TASK}.blocks`);
  };
  await waitUntil(isClear, { what: 'the broker to be clear' });
});

test('a second copy of what was just accepted is not acknowledged before that is on disk', async () => {
  const rig = new MirrorRig();
  const { driver, sync } = await headOnSlowDisk(rig);
  const [lease = 0] = driver.state.leases.keys();
  const result = { session, task: TASK, lease, bytes: 0, computeMs: 1, fetchMs: 0 };
  driver.returned({ ...result, type: 'returned' }, payload);
  expect(driver.state.leases.has(lease)).toBe(false);
  await rig.deliver(lease, {}, payload);
  await waitUntil(() => rig.broker.count('results') === 0, { what: 'the copy to come' });
  expect(await rig.unacknowledged()).toBe(1);
  const isClear = async (): Promise<boolean> => {
    await sync();
    return (await rig.unacknowledged()) === 0;
  };
  await waitUntil(isClear, { what: 'the copy to be acknowledged' });
});
