/** Providers that are killed, frozen, or told to leave, in the middle of a product. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { givenAgain, waitUntil } from '@muster/shared/testkit';
import { FaultRig, type Shape, type UnderWay } from './fault-rig.ts';

const SHAPE: Shape = [4096, 4096, 4096];
const RESTART_MAX_MS = 500;
const STALL_MAX_MS = 4000;

let rig: FaultRig;

describe('a product of 4096 x 4096 on three nodes', () => {
  beforeAll(async () => {
    rig = await FaultRig.start({ providers: 3 });
  }, 60_000);

  afterAll(() => rig.end(), 30_000);

  test('a node that stops talking stalls nothing, and what it delivers late counts once', async () => {
    const work = await rig.multiply(SHAPE, 3);
    await rig.reached(work, 0.3);
    const frozen = await rig.busyNode(work);
    frozen.program.process.kill('SIGSTOP');
    const stallMs = await longestStall(work);
    const outcome = await rig.expectRight(work);
    expect(stallMs).toBeLessThan(STALL_MAX_MS);
    expect(outcome).toMatchObject({ state: 'done', verifiedTiles: outcome['tiles'], rejectedTiles: 0 });
    frozen.program.process.kill('SIGCONT');
    await waitUntil(async () => (await rig.node(frozen.id))?.state === 'ready', {
      what: 'the frozen node is back',
      timeoutMs: 20_000,
    });
    const status = await rig.observer.task(work.task);
    expect(status).toMatchObject({ acceptedTiles: status.tiles, verifiedTiles: status.tiles });
    expect(status.nodes.reduce((sum, { subtasks }) => sum + subtasks, 0)).toBe(status.tiles);
  }, 60_000);

  test('a node that is told to leave hands its work back', async () => {
    const work = await rig.multiply(SHAPE, 3);
    await rig.reached(work, 0.3);
    const [retriedBefore, copiedBefore] = [
      await rig.counter('leases_retried'),
      await rig.counter('leases_speculative'),
    ];
    const leaving = await rig.busyNode(work);
    leaving.program.process.kill('SIGTERM');
    expect(await leaving.program.ended()).toMatchObject({ code: 0 });
    await rig.expectRight(work);
    const [retried, copied] = [await rig.counter('leases_retried'), await rig.counter('leases_speculative')];
    expect(retried - retriedBefore).toBe(copied - copiedBefore);
    expect(await rig.node(leaving.id)).toMatchObject({ state: 'lost', reason: 'left' });
    await rig.rejoin(leaving.name);
  }, 60_000);

  test('a node that is killed is replaced at once', async () => {
    const work = await rig.multiply(SHAPE, 3);
    await rig.reached(work, 0.3);
    const victim = await rig.busyNode(work);
    const killedMs = Date.now();
    await rig.cluster.kill(victim.program);
    await rig.expectRight(work);
    const restarted = givenAgain(rig.leasesOf(work.task), { victim: victim.id, sinceMs: killedMs });
    expect(restarted.length).toBeGreaterThan(0);
    expect(Math.max(...restarted)).toBeLessThan(RESTART_MAX_MS);
  }, 60_000);
});

/** Longest time without a new tile, from now to the end of the task. */
async function longestStall({ task }: UnderWay): Promise<number> {
  let [longest, accepted, sinceMs] = [0, -1, performance.now()];
  await waitUntil(
    async () => {
      const status = await rig.observer.task(task);
      longest = Math.max(longest, performance.now() - sinceMs);
      if (status.acceptedTiles > accepted) [accepted, sinceMs] = [status.acceptedTiles, performance.now()];
      return status.state === 'done';
    },
    { what: 'the task is done', timeoutMs: 40_000 },
  );
  return longest;
}
