/** Runs that diverge, and heads that are stopped: what is kept of a run, and that it can go on from there. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { FaultRig } from './fault-rig.ts';
import { checkpointStepOf, reachedStep, startTraining, STEPS_OF_EPOCH, trained } from './training-rig.ts';

let rig: FaultRig;

beforeAll(async () => {
  rig = await FaultRig.start({ providers: 2 });
}, 120_000);

afterAll(() => rig.end(), 30_000);

describe('a run whose loss is no number', () => {
  test('ends and names the step; from its last good checkpoint one with a smaller rate goes on', async () => {
    const run = await startTraining(rig, { nodes: 2, epochs: 2 }, '--lr', '1000', '--schedule', 'constant');
    const { code, stderr } = await run.client.ended();
    expect(code).toBe(1);
    expect(stderr).toMatch(/the training diverged at step \d+/);
    const { state, error } = await rig.observer.task(run.task);
    expect({ state, code: error?.code }).toEqual({ state: 'failed', code: 'DIVERGED' });
    const file = rig.cluster.file('good.safetensors');
    expect(await rig.cluster.run('tasks', 'result', run.task, '--out', file)).toMatchObject({ code: 0 });
    for (const from of [file, run.task]) {
      const again = await startTraining(rig, { nodes: 2, epochs: 1 }, '--resume', from, '--lr', '0.05');
      expect(await trained(again)).toMatchObject({ state: 'done', steps: STEPS_OF_EPOCH });
    }
  }, 60_000);
});

describe('a head that is stopped', () => {
  test('writes a checkpoint, and the next goes on from it', async () => {
    const run = await startTraining(rig, { nodes: 2, epochs: 3 }, '--checkpoint-every', '1h');
    const seen = await reachedStep(rig, run, STEPS_OF_EPOCH + 5);
    await rig.cluster.cluster.head.stop();
    const written = checkpointStepOf(rig, run);
    expect(written).toBeGreaterThanOrEqual(seen.step);
    await rig.cluster.cluster.restartHead();
    const { step } = await reachedStep(rig, run, 1);
    expect(step).toBeGreaterThanOrEqual(written);
    expect(await trained(run)).toMatchObject({ state: 'done', steps: 3 * STEPS_OF_EPOCH });
  }, 60_000);
});
