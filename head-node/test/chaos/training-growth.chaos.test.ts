/** A run of many steps on one head: what it takes of memory and disk while it runs, and what is left of it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { skipBecause, waitUntil } from '@muster/shared/testkit';
import { FaultRig } from './fault-rig.ts';
import { filesOfHead, reachedStep, startTraining, STEPS_OF_EPOCH, trained, trainerOf } from './training-rig.ts';

const linuxTest = process.platform === 'linux' ? test : skipBecause('only /proc tells the memory of another process');

const EPOCHS = process.env['MUSTER_CHAOS'] === 'long' ? 150 : 25;
const WARM_STEPS = 5 * STEPS_OF_EPOCH;
/** Of either process; what the collector has not yet come to is in it. */
const GROWTH_MAX_BYTES = 96 * 2 ** 20;
/** The samples' blocks, the model, and the weights of the latest rounds. */
const BLOCKS_MAX = 12;
/** Those that come in, and those that are taken over. */
const INCOMING_MAX = 8;
/** Files go round: each is written over by the next of its length, of which there are few at a time. */
const SPARE_MAX = 24;
/** Of the sets to train and to test with: the next run may use them. */
const SAMPLE_BLOCKS = 2;

let rig: FaultRig;

beforeAll(async () => {
  rig = await FaultRig.start({ providers: 2 });
}, 120_000);

afterAll(() => rig.end(), 30_000);

/** In memory now, of the head and of its trainer. */
const residentBytes = (): number[] =>
  [rig.cluster.cluster.head.process.pid, trainerOf(rig)].map(
    (pid) => 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]),
  );

const filesOfStore = (): Record<string, number> =>
  Object.fromEntries(['blocks', 'incoming', 'spare'].map((name) => [name, filesOfHead(rig, `store/${name}`).length]));

describe('a run of many small steps', () => {
  linuxTest(
    'does not grow, and leaves its checkpoint',
    async () => {
      const model = rig.cluster.file('net.json');
      writeFileSync(model, JSON.stringify(NET));
      const run = await startTraining(rig, { nodes: 2, epochs: EPOCHS, model });
      await reachedStep(rig, run, WARM_STEPS);
      const early = residentBytes();
      await reachedStep(rig, run, (EPOCHS - 2) * STEPS_OF_EPOCH);
      const growth = residentBytes().map((bytes, at) => bytes - early[at]!);
      expect(Math.max(...growth)).toBeLessThan(GROWTH_MAX_BYTES);
      const { blocks, incoming, spare } = filesOfStore();
      expect(blocks).toBeLessThanOrEqual(BLOCKS_MAX);
      expect(incoming).toBeLessThanOrEqual(INCOMING_MAX);
      expect(spare).toBeLessThanOrEqual(SPARE_MAX);
      expect(await trained(run)).toMatchObject({ state: 'done', steps: EPOCHS * STEPS_OF_EPOCH });
      expect(filesOfHead(rig, 'training')).toEqual(['checkpoint.safetensors']);
      await waitUntil(() => filesOfStore()['blocks'] === SAMPLE_BLOCKS && filesOfStore()['incoming'] === 0, {
        what: 'only samples are left in the store',
      });
    },
    90_000,
  );
});

const NET = {
  name: 'small',
  input: [1, 28, 28],
  layers: [{ type: 'flatten' }, { type: 'dense', units: 16 }, { type: 'relu' }, { type: 'dense', units: 10 }],
  loss: 'crossEntropy',
};
