/** Disks that are full: of the head, which refuses and waits, and of a node, whose work others do. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { skipBecause, waitUntil, type LocalProgram } from '@muster/shared/testkit';
import { FaultRig, type Shape } from './fault-rig.ts';
import { SmallDisk, whyNoSmallDisk } from './small-disk.ts';

const SHAPE: Shape = [1024, 512, 1024];
/** A commit that is under way still ends; none is begun. */
const LEFT_BYTES = 2 ** 20;
const reason = whyNoSmallDisk();
const diskTest = reason === undefined ? test : skipBecause(reason);

let rig: FaultRig;
let disk: SmallDisk;

const end = async (): Promise<void> => {
  if (reason !== undefined) return;
  disk.free();
  await rig.end();
  disk.unmount();
};

describe('a head whose disk is full', () => {
  beforeEach(async () => {
    if (reason !== undefined) return;
    disk = new SmallDisk(64 * 2 ** 20);
    rig = await FaultRig.start({ providers: 2, headArguments: ['--state', disk.path] });
  }, 60_000);

  afterEach(end, 30_000);

  diskTest(
    'refuses new tasks, says nothing that it could not write down, and goes on when there is room',
    async () => {
      const count = 400_000;
      const handle = await rig.observer.echo({ count, nodes: 2, timeoutMs: 60_000 });
      let told = false;
      const ended = handle.wait().finally(() => (told = true));
      await waitUntil(async () => (await rig.observer.task(handle.taskId)).acceptedTiles > 0, { what: 'it runs' });
      disk.fill(LEFT_BYTES);
      await waitUntil(async () => (await rig.observer.task(handle.taskId)).acceptedTiles === count, {
        what: 'all is computed',
        timeoutMs: 30_000,
      });
      for (const request of [
        ['--task', 'echo', '--count', '10'],
        ['--task', 'matrix_mult', '--size', '1000'],
      ]) {
        const { code, stderr } = await rig.cluster.run(...request, '--nodes', '1');
        expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/DISK_FULL[^]*\d [KM]iB/) });
        expect(stderr).toContain(disk.path);
      }
      expect(told).toBe(false);
      disk.free();
      expect(await ended).toMatchObject({ state: 'done', acceptedTiles: count, verifiedTiles: count });
      await rig.expectRight(await rig.multiply(SHAPE, 2));
    },
    90_000,
  );

  diskTest(
    'does not start again without room, and starts with everything when there is some',
    async () => {
      const work = await rig.multiply(SHAPE, 2);
      await rig.expectRight(work);
      await rig.cluster.kill(rig.cluster.cluster.head);
      disk.fill();
      await expect(rig.cluster.cluster.restartHead()).rejects.toThrow(/DISK_FULL/);
      expect(await rig.cluster.cluster.head.ended()).toMatchObject({ code: 1 });
      disk.free();
      await rig.cluster.cluster.restartHead();
      expect(await rig.observer.task(work.task)).toMatchObject({ state: 'done' });
    },
    60_000,
  );
});

describe('a node whose disk is full', () => {
  let small: LocalProgram;

  beforeEach(async () => {
    if (reason !== undefined) return;
    disk = new SmallDisk(8 * 2 ** 20);
    rig = await FaultRig.start({ providers: 1 });
    small = await rig.rejoin('small', ['--state', disk.path, '--blocks', 'wire']);
  }, 60_000);

  afterEach(end, 30_000);

  diskTest(
    'stays, and others do its work',
    async () => {
      disk.fill();
      const outcome = await rig.expectRight(await rig.multiply([2048, 2048, 2048], 2));
      expect(outcome).toMatchObject({ state: 'done', verifiedTiles: outcome['tiles'] });
      expect(small.alive).toBe(true);
      disk.free();
      await waitUntil(
        async () => (await rig.observer.nodes()).every(({ state, running }) => state === 'ready' && running === 0),
        { what: 'all nodes are ready and idle' },
      );
    },
    60_000,
  );
});
