/** Nodes that turn the signs of their gradients: found out where they are looked at, outvoted where they are not. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { skipBecause, waitUntil, type LocalProgram } from '@muster/shared/testkit';
import { FaultRig } from './fault-rig.ts';
import { startLiar } from './liar.ts';
import { startTraining, trained, trainerOf } from './training-rig.ts';

const linuxTest = process.platform === 'linux' ? test : skipBecause('only /proc tells the children of another process');

/** The mean loss of a net that knows nothing of ten classes. */
const CHANCE = Math.log(10);
const EPOCHS = 3;
/** Top-k takes longer at the beginning. */
const EPOCHS_SPARSE = 10;
/** Three times it is found wrong; another two of its shards may be under way by then. */
const DISPUTES_MAX = 5;

/** That were taken. */
const shardsOf = async (task: string, node: string): Promise<number> =>
  (await rig.observer.task(task)).nodes.find(({ name }) => name === node)?.subtasks ?? 0;

let rig: FaultRig;
let liar: LocalProgram | undefined;

beforeAll(async () => {
  rig = await FaultRig.start({ providers: 3 });
}, 120_000);

afterAll(async () => {
  await liar?.stop();
  await rig.end();
}, 30_000);

describe('a node that turns the signs of its gradients', () => {
  test('from the start is caught by the audit, gets nothing more, and the loss falls', async () => {
    liar = await startLiar(rig, 'flip');
    const { state, loss, disputed, nodes } = await trained(await startTraining(rig, { nodes: 4, epochs: EPOCHS }));
    expect(state).toBe('done');
    expect(disputed).toBeGreaterThan(0);
    expect(disputed).toBeLessThanOrEqual(DISPUTES_MAX);
    expect(nodes.find(({ name }) => name === 'liar')?.shards ?? 0).toBe(0);
    expect(loss).toBeLessThan(CHANCE / 2);
    await liar.stop();
  }, 60_000);

  test('when it is trusted is outvoted by the median, and the loss falls', async () => {
    liar = await startLiar(rig, 'flip:8', 'late-liar');
    const run = await startTraining(rig, { nodes: 4, epochs: EPOCHS }, '--aggregator', 'median');
    const { state, loss } = await trained(run);
    expect(state).toBe('done');
    expect(loss).toBeLessThan(CHANCE / 2);
  }, 60_000);
});

describe('where only a hundredth of each gradient travels', () => {
  const topK = ['--compress', 'topk:1%'];
  afterEach(() => liar?.stop());

  test('it is caught at its first shard', async () => {
    await liar?.stop();
    liar = await startLiar(rig, 'flip', 'sparse-liar');
    const run = await startTraining(rig, { nodes: 4, epochs: EPOCHS_SPARSE }, ...topK);
    const { loss, disputed, nodes } = await trained(run);
    expect(disputed).toBeGreaterThan(0);
    expect(disputed).toBeLessThanOrEqual(DISPUTES_MAX);
    expect(nodes.find(({ name }) => name === 'sparse-liar')?.shards ?? 0).toBe(0);
    expect(loss).toBeLessThan(CHANCE / 2);
  }, 60_000);

  // A trainer that is new looks at every node: which shards it looks at otherwise is chance.
  linuxTest(
    'it is caught later, when what it sends was left of shards before, and honest nodes are not',
    async () => {
      liar = await startLiar(rig, 'flip:8', 'late-sparse-liar');
      const run = await startTraining(rig, { nodes: 4, epochs: EPOCHS_SPARSE }, ...topK);
      await waitUntil(async () => (await shardsOf(run.task, 'late-sparse-liar')) > 10, { what: 'it lies' });
      process.kill(trainerOf(rig), 'SIGKILL');
      const { state, loss, audited, disputed } = await trained(run);
      expect(state).toBe('done');
      expect(disputed).toBeGreaterThan(0);
      expect(disputed).toBeLessThanOrEqual(DISPUTES_MAX);
      expect(audited).toBeGreaterThanOrEqual(4 + disputed);
      expect(loss).toBeLessThan(CHANCE / 2);
    },
    60_000,
  );
});
