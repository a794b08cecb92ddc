/** A head that is killed and started again: waiting clients, finished tiles, finished results. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitUntil, wrongRows } from '@muster/shared/testkit';
import { FaultRig } from './fault-rig.ts';

/** So many that one tile is less than the share that may be lost. */
const NODES = 5;
const RECOVERY_MAX_MS = 10_000;
const KEPT_SHARE_MIN = 0.95;

let rig: FaultRig;

beforeAll(async () => {
  rig = await FaultRig.start({ providers: NODES });
}, 60_000);

afterAll(() => rig.end(), 30_000);

const nodesAreBack = (): Promise<unknown> =>
  waitUntil(async () => (await rig.observer.nodes()).filter(({ state }) => state === 'ready').length === NODES, {
    what: 'all nodes are back',
  });

describe('the head is killed in the middle of a task', () => {
  test('the same client gets the right product soon after the restart; finished tiles are not computed again', async () => {
    const work = await rig.multiply([6144, 3072, 6144], NODES);
    const seen = await rig.reached(work, 0.5);
    // We looked just when a tile was finished, which no crash does: let one more be finished.
    await rig.reached(work, (seen.acceptedTiles + 1) / seen.tiles);
    await rig.cluster.kill(rig.cluster.cluster.head);
    await rig.cluster.cluster.restartHead();
    const restartedMs = performance.now();
    const outcome = await rig.expectRight(work);
    expect(performance.now() - restartedMs).toBeLessThan(RECOVERY_MAX_MS);
    expect(outcome).toMatchObject({ state: 'done', tiles: seen.tiles, verifiedTiles: seen.tiles });
    // The counter began at zero with the new process.
    const kept = seen.tiles - (await rig.counter('subtasks_accepted'));
    expect(kept).toBeLessThan(seen.tiles);
    expect(kept).toBeGreaterThanOrEqual(KEPT_SHARE_MIN * seen.acceptedTiles);
  }, 90_000);

  test('small subtasks, too, are each counted once', async () => {
    await nodesAreBack();
    const count = 1_000_000;
    const handle = await rig.observer.echo({ count, nodes: NODES, timeoutMs: 60_000 });
    const seen = await waitUntil(
      async () => [await rig.observer.task(handle.taskId)].find(({ acceptedTiles }) => acceptedTiles > 0.4 * count),
      { what: 'two fifths are done' },
    );
    expect(seen.state).toBe('running');
    await rig.cluster.kill(rig.cluster.cluster.head);
    await rig.cluster.cluster.restartHead();
    const status = await handle.wait();
    expect(status).toMatchObject({ state: 'done', tiles: count, acceptedTiles: count, verifiedTiles: count });
    expect(status.nodes.reduce((sum, { subtasks }) => sum + subtasks, 0)).toBe(count);
    // What came in the last 0.1 s was not on disk: of such quick ones that is a good part.
    expect(await rig.counter('subtasks_accepted')).toBeLessThan(0.9 * count);
  }, 90_000);
});

describe('the head is stopped when everything is done', () => {
  test('a restarted head still has the result', async () => {
    await nodesAreBack();
    const work = await rig.multiply([700, 600, 500], NODES);
    await rig.expectRight(work);
    await rig.cluster.cluster.head.stop();
    await rig.cluster.cluster.restartHead();
    const c = rig.cluster.file('again.npy');
    expect(await rig.cluster.run('tasks', 'result', work.task, '--out', c)).toMatchObject({ code: 0 });
    expect(wrongRows({ ...work.files, c })).toEqual([]);
    const { stdout } = await rig.cluster.run('tasks', 'ls', '--json');
    expect((JSON.parse(stdout) as { tasks: unknown[] }).tasks).toContainEqual(
      expect.objectContaining({ taskId: work.task, state: 'done' }),
    );
  }, 60_000);
});
