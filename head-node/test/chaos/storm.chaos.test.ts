/**
 * One fault after the other on one cluster, drawn by a seed: what a fault leaves behind must not matter for the next. A failure names
 * the seed; `MUSTER_CHAOS_SEED=n MUSTER_CHAOS_ROUNDS=50` goes on from there.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { seededRandom } from '@muster/shared';
import { skipBecause, waitUntil } from '@muster/shared/testkit';
import { FaultRig } from './fault-rig.ts';
import { faultsOf } from './faults.ts';

const linuxTest = process.platform === 'linux' ? test : skipBecause('only /proc tells the children of another process');

const SEED = Number(process.env['MUSTER_CHAOS_SEED'] ?? 1);
const ROUNDS = Number(process.env['MUSTER_CHAOS_ROUNDS'] ?? 6);
const ROUND_MAX_MS = 60_000;

let rig: FaultRig;

describe('a storm', () => {
  beforeAll(async () => {
    rig = await FaultRig.start({ providers: 3 });
  }, 60_000);

  afterAll(() => rig.end(), 30_000);

  linuxTest(
    `of ${ROUNDS} faults (seed ${SEED})`,
    async () => {
      const random = seededRandom(SEED);
      const names = Object.keys(faultsOf(rig));
      for (let round = 0; round < ROUNDS; round++) {
        const name = names[Math.floor(random() * names.length)] ?? '';
        await survive(name, { share: random() * 0.8, says: `round ${round} of seed ${SEED}` });
      }
    },
    ROUNDS * ROUND_MAX_MS,
  );
});

async function survive(name: string, { share, says }: { share: number; says: string }): Promise<void> {
  const where = `${says}: ${name} at ${Math.round(100 * share)} %`;
  try {
    const work = await rig.multiply([3072, 2048, 3072], 3);
    await rig.reached(work, share);
    const restore = await faultsOf(rig)[name]?.(work);
    const outcome = await rig.expectRight(work);
    expect(outcome).toMatchObject({ state: 'done', verifiedTiles: outcome['tiles'], rejectedTiles: 0 });
    await restore?.();
    await waitUntil(
      async () =>
        (await rig.observer.nodes()).filter(({ state, running }) => state === 'ready' && running === 0).length === 3,
      { what: 'all nodes are back and idle', timeoutMs: 20_000 },
    );
  } catch (cause) {
    throw new Error(`${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
