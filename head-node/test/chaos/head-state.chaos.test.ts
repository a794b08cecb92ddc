/** What lies on the head's disk: damaged while it was away, left over by work that nobody wants, claimed by two programs. */
import { closeSync, ftruncateSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitUntil } from '@muster/shared/testkit';
import { FaultRig, type Shape } from './fault-rig.ts';

const LARGE: Shape = [4096, 4096, 4096];
const SMALL: Shape = [700, 600, 500];

let rig: FaultRig;

beforeAll(async () => {
  rig = await FaultRig.start({ providers: 2 });
}, 60_000);

afterAll(() => rig.end(), 30_000);

const stateOf = (program: string): string => join(rig.cluster.cluster.directory, program);
const resultsOf = (task: string): string => join(stateOf('head'), 'store', 'results', task);

/** As a power failure leaves it: of its length, and empty. */
function blank(path: string): void {
  const { size } = statSync(path);
  const file = openSync(path, 'r+');
  ftruncateSync(file, 0);
  ftruncateSync(file, size);
  closeSync(file);
}

const nodesAreReady = (): Promise<unknown> =>
  waitUntil(async () => (await rig.observer.nodes()).filter(({ state }) => state === 'ready').length === 2, {
    what: 'both nodes are ready',
    timeoutMs: 20_000,
  });

describe('results that were damaged while the head was away', () => {
  test('are computed again where the task goes on', async () => {
    const work = await rig.multiply(LARGE, 2);
    await rig.reached(work, 0.5);
    await rig.cluster.kill(rig.cluster.cluster.head);
    const [damaged = '', ...others] = readdirSync(resultsOf(work.task));
    blank(join(resultsOf(work.task), damaged));
    await rig.cluster.cluster.restartHead();
    const outcome = await rig.expectRight(work);
    expect(others.length).toBeGreaterThan(0);
    expect(outcome).toMatchObject({ state: 'done', verifiedTiles: outcome['tiles'], rejectedTiles: 0 });
    expect(await rig.observer.audit(work.task)).toMatchObject({ accepted: outcome['tiles'], problems: [] });
  }, 90_000);

  test('are told at once where it is done, and the latest task is still the latest', async () => {
    await nodesAreReady();
    const before = await rig.observer.tasks();
    const work = await rig.multiply(SMALL, 2);
    await rig.expectRight(work);
    const { wallMs } = await rig.observer.task(work.task);
    await rig.cluster.cluster.head.stop();
    for (const name of readdirSync(resultsOf(work.task))) blank(join(resultsOf(work.task), name));
    await rig.cluster.cluster.restartHead();
    const result = await rig.cluster.run('tasks', 'result', work.task, '--out', rig.cluster.file('lost.npy'), '--json');
    expect(result.code).toBe(1);
    expect(JSON.parse(result.stdout)).toMatchObject({ error: { code: 'RESULT_LOST', fix: 'submit the task again' } });
    const after = await rig.observer.tasks();
    expect(after.map(({ taskId }) => taskId)).toEqual([work.task, ...before.map(({ taskId }) => taskId)]);
    expect(after[0]).toMatchObject({ state: 'done', wallMs });
  }, 60_000);
});

test('nothing on its way in is left of cancelled tasks', async () => {
  await nodesAreReady();
  for (const share of [0.1, 0.2]) {
    const work = await rig.multiply(LARGE, 2);
    await rig.reached(work, share);
    await rig.observer.cancel(work.task);
    expect(await work.client.ended()).toMatchObject({ code: 1 });
    expect(() => readdirSync(resultsOf(work.task))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  }
  const incoming = join(stateOf('head'), 'store', 'incoming');
  await waitUntil(() => readdirSync(incoming).every((name) => name === 'spare'), {
    what: 'the head has put everything away',
    timeoutMs: 40_000,
  });
}, 120_000);

test('a provider does not start in the state directory of a head', async () => {
  const provider = rig.cluster.cluster.launch('provider-node', ['--state', stateOf('head'), '--threads', '1']);
  expect(await provider.ended()).toMatchObject({ code: 2, stderr: expect.stringContaining('STATE_IN_USE') });
}, 30_000);

test('a node that is frozen for so long that it is lost comes back, and its work was done by another', async () => {
  await nodesAreReady();
  const work = await rig.multiply(LARGE, 2);
  await rig.reached(work, 0.3);
  const frozen = await rig.busyNode(work);
  frozen.program.process.kill('SIGSTOP');
  await rig.expectRight(work);
  await waitUntil(async () => (await rig.node(frozen.id))?.state === 'lost', {
    what: 'the frozen node is given up',
    timeoutMs: 30_000,
  });
  frozen.program.process.kill('SIGCONT');
  await nodesAreReady();
  const next = await rig.multiply(SMALL, 2);
  expect(await rig.expectRight(next)).toMatchObject({ state: 'done', rejectedTiles: 0 });
}, 90_000);
