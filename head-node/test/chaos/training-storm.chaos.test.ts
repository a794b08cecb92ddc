/**
 * One fault after the other during runs on one cluster, drawn by a seed. A failure names the seed; `MUSTER_CHAOS_SEED=n
 * MUSTER_CHAOS_ROUNDS=20` goes on from there.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { seededRandom } from '@muster/shared';
import { skipBecause, waitUntil } from '@muster/shared/testkit';
import { FaultRig } from './fault-rig.ts';
import { faultsOf } from './faults.ts';
import { reachedStep, startTraining, STEPS_OF_EPOCH, trained } from './training-rig.ts';

const linuxTest = process.platform === 'linux' ? test : skipBecause('only /proc tells the children of another process');

const SEED = Number(process.env['MUSTER_CHAOS_SEED'] ?? 1);
const ROUNDS = Number(process.env['MUSTER_CHAOS_ROUNDS'] ?? 2);
const ROUND_MAX_MS = 90_000;
const EPOCHS = 2;
const STEPS = EPOCHS * STEPS_OF_EPOCH;

let rig: FaultRig;

beforeAll(async () => {
  rig = await FaultRig.start({ providers: 3 });
}, 120_000);

afterAll(() => rig.end(), 30_000);

linuxTest(
  `runs in a storm of ${ROUNDS} faults (seed ${SEED})`,
  async () => {
    const random = seededRandom(SEED);
    const names = Object.keys(faultsOf(rig));
    for (let round = 0; round < ROUNDS; round++) {
      const name = names[Math.floor(random() * names.length)] ?? '';
      await survive(name, { step: Math.floor(random() * 0.8 * STEPS), says: `round ${round} of seed ${SEED}` });
    }
  },
  ROUNDS * ROUND_MAX_MS,
);

async function survive(name: string, { step, says }: { step: number; says: string }): Promise<void> {
  try {
    const run = await startTraining(rig, { nodes: 3, epochs: EPOCHS });
    await reachedStep(rig, run, step);
    const restore = await faultsOf(rig)[name]?.(run);
    expect(await trained(run)).toMatchObject({ state: 'done', steps: STEPS, disputed: 0 });
    await restore?.();
    await waitUntil(async () => (await rig.observer.nodes()).filter(({ state }) => state === 'ready').length === 3, {
      what: 'all nodes are back and idle',
      timeoutMs: 20_000,
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${says}: ${name} at step ${step}: ${why}`, { cause });
  }
}
