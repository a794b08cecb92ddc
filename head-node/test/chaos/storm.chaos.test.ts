/**
 * One fault after the other on one cluster, drawn by a seed: what a fault leaves behind must not matter for the next. A failure names
 * the seed; `MUSTER_CHAOS_SEED=n MUSTER_CHAOS_ROUNDS=50` goes on from there.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { seededRandom } from '@muster/shared';
import { skipBecause, waitUntil } from '@muster/shared/testkit';
import { FaultRig, type UnderWay } from './fault-rig.ts';

const linuxTest = process.platform === 'linux' ? test : skipBecause('only /proc tells the children of another process');

const SEED = Number(process.env['MUSTER_CHAOS_SEED'] ?? 1);
const ROUNDS = Number(process.env['MUSTER_CHAOS_ROUNDS'] ?? 6);
const ROUND_MAX_MS = 60_000;

/** Does harm now, and gives what makes it good again when the product is there. */
type Fault = (work: UnderWay) => Promise<() => Promise<void>>;

let rig: FaultRig;
const nothing = (): Promise<void> => Promise.resolve();

const faults: Readonly<Record<string, Fault>> = {
  'a provider is killed': async (work) => {
    const { program, name } = await rig.busyNode(work);
    await rig.cluster.kill(program);
    return () => rig.rejoin(name);
  },
  'a provider is killed and comes back at once': async (work) => {
    const { program, name } = await rig.busyNode(work);
    await rig.cluster.kill(program);
    await rig.rejoin(name);
    return nothing;
  },
  'a provider leaves': async (work) => {
    const { program, name } = await rig.busyNode(work);
    await program.stop();
    return () => rig.rejoin(name);
  },
  'a provider is frozen': async (work) => {
    const { process } = (await rig.busyNode(work)).program;
    process.kill('SIGSTOP');
    return () => Promise.resolve(void process.kill('SIGCONT'));
  },
  'a compute process is killed': async (work) => {
    const { program } = await rig.busyNode(work);
    killChildren(program.process.pid);
    return nothing;
  },
  'the verify process is killed': () => {
    killChildren(rig.cluster.cluster.head.process.pid);
    return Promise.resolve(nothing);
  },
  'the head is killed': async () => {
    await rig.cluster.kill(rig.cluster.cluster.head);
    await rig.cluster.cluster.restartHead();
    return nothing;
  },
  'the head is stopped and started': async () => {
    await rig.cluster.cluster.head.stop();
    await rig.cluster.cluster.restartHead();
    return nothing;
  },
};

function killChildren(parent = 0): void {
  const parentOf = (pid: string): number =>
    Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (parentOf(pid) === parent) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended while we looked.
    }
  }
}

describe('a storm', () => {
  beforeAll(async () => {
    rig = await FaultRig.start({ providers: 3 });
  }, 60_000);

  afterAll(() => rig.end(), 30_000);

  linuxTest(
    `of ${ROUNDS} faults (seed ${SEED})`,
    async () => {
      const random = seededRandom(SEED);
      const names = Object.keys(faults);
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
    const work = await rig.multiply([4096, 2048, 4096], 3);
    await rig.reached(work, share);
    const restore = await faults[name]?.(work);
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
