/** Training runs while nodes, the trainer and the head go and come. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { skipBecause, waitUntil } from '@muster/shared/testkit';
import { FaultRig, type Submitted } from './fault-rig.ts';
import { betweenSteps, reachedStep, startTraining, STEPS_OF_EPOCH, trained, trainerOf } from './training-rig.ts';

const linuxTest = process.platform === 'linux' ? test : skipBecause('only /proc tells the children of another process');

let rig: FaultRig;

beforeAll(async () => {
  rig = await FaultRig.start({ providers: 4 });
}, 120_000);

afterAll(() => rig.end(), 30_000);

const LONG = process.env['MUSTER_CHAOS'] === 'long';
const STEPS = LONG ? 200 : 120;
const epochs = STEPS / STEPS_OF_EPOCH;

/** Of its shards some are in the weights. */
const takesPart = ({ task }: Submitted, name: string): Promise<boolean> =>
  waitUntil(async () => (await rig.observer.task(task)).nodes.some((node) => node.name === name && node.subtasks > 0), {
    what: `a shard of ${name}`,
  });

describe(`${STEPS} steps on four nodes`, () => {
  let faultFreeLoss = 0;

  test('without a fault', async () => {
    const { steps, loss, nodes } = await trained(await startTraining(rig, { nodes: 4, epochs }));
    expect(steps).toBe(STEPS);
    expect(nodes).toHaveLength(4);
    faultFreeLoss = loss;
  }, 60_000);

  linuxTest(
    'end by themselves, and as well, when one is killed, one joins and the head is killed',
    async () => {
      const run = await startTraining(rig, { nodes: 4, epochs });
      await reachedStep(rig, run, 0.4 * STEPS);
      await rig.cluster.kill(rig.program('node-4'));
      await reachedStep(rig, run, 0.6 * STEPS);
      await betweenSteps(rig, () => rig.rejoin('node-5'));
      await takesPart(run, 'node-5');
      await reachedStep(rig, run, 0.7 * STEPS);
      await rig.cluster.kill(rig.cluster.cluster.head);
      await rig.cluster.cluster.restartHead();
      const { steps, loss } = await trained(run);
      expect(steps).toBe(STEPS);
      expect(Math.abs(loss / faultFreeLoss - 1)).toBeLessThan(0.02);
    },
    90_000,
  );

  linuxTest(
    'go on when the trainer is killed',
    async () => {
      const run = await startTraining(rig, { nodes: 4, epochs });
      await reachedStep(rig, run, 0.5 * STEPS);
      process.kill(trainerOf(rig), 'SIGKILL');
      const { steps, loss } = await trained(run);
      expect(steps).toBe(STEPS);
      expect(Math.abs(loss / faultFreeLoss - 1)).toBeLessThan(0.02);
    },
    60_000,
  );
});

describe('deterministic runs', () => {
  const options = { epochs: 2 };
  const sameWeights = new Set<string>();
  const deterministic = async (nodes: number, fault = (_run: Submitted): Promise<unknown> => Promise.resolve()) => {
    const run = await startTraining(rig, { ...options, nodes }, '--deterministic');
    await fault(run);
    const { weightsSha256, nodes: members } = await trained(run);
    sameWeights.add(weightsSha256);
    expect(members.length).toBeGreaterThanOrEqual(nodes);
  };

  test.each([1, 2, 4])(
    'have the same weights on %i nodes',
    async (nodes) => {
      await deterministic(nodes);
      expect([...sameWeights]).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    },
    60_000,
  );

  linuxTest(
    'and when one is killed and one joins',
    async () => {
      await deterministic(4, async (run) => {
        await reachedStep(rig, run, 10);
        await rig.cluster.kill((await rig.busyNode(run)).program);
        await reachedStep(rig, run, 20);
        await betweenSteps(rig, () => rig.rejoin('node-6'));
      });
      expect(sameWeights.size).toBe(1);
    },
    60_000,
  );
});
