import { afterEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { encode, type BlockId } from '@muster/shared';
import { TemporaryDirectories, waitUntil } from '@muster/shared/testkit';
import { CHUNK, MirrorRig, OTHER, stopRigs, TASK } from './mirror-rig.ts';

const directories = new TemporaryDirectories();
afterEach(async () => {
  await stopRigs();
  directories.removeAll();
});

const newRig = (): MirrorRig => new MirrorRig({ directory: directories.make() });

const handed = ({ delivered }: MirrorRig): string[] => delivered.map(({ result: { lease, way } }) => `${lease} ${way}`);

const areHanded = (rig: MirrorRig, ...results: string[]): Promise<unknown> =>
  waitUntil(() => handed(rig).join() === results.join(), { what: `results ${results.join()}` });

const isClear = (rig: MirrorRig): Promise<unknown> =>
  waitUntil(async () => (await rig.unacknowledged()) === 0, { what: 'all to be acknowledged' });

describe('a result that comes by the broker', () => {
  test('is in before the head begins, where it was left there, and stays there until it is settled', async () => {
    const rig = newRig();
    for (const lease of [1, 2]) rig.open.add(lease);
    await rig.deliver(1, {}, Buffer.from('echo'));
    await rig.start();
    expect(handed(rig)).toEqual(['1 inline']);
    expect(String(rig.delivered[0]?.payload)).toBe('echo');
    await rig.deliver(2);
    await areHanded(rig, '1 inline', '2 inline');
    expect(await rig.unacknowledged()).toBe(2);
    rig.settle(1);
    await waitUntil(async () => (await rig.unacknowledged()) === 1, { what: 'one to be left' });
    rig.settle(2);
    await isClear(rig);
  });

  test('and comes again is one, and settled as one', async () => {
    const rig = newRig();
    rig.open.add(1);
    await rig.start();
    for (let copies = 0; copies < 3; copies += 1) await rig.deliver(1);
    await areHanded(rig, '1 inline', '1 inline', '1 inline');
    await waitUntil(async () => (await rig.unacknowledged()) === 1, { what: 'one copy to be left' });
    rig.settle(1);
    await isClear(rig);
  });

  test('and lies in the store is handed over when it is there, whole', async () => {
    const rig = newRig();
    for (const lease of [1, 2, 3]) writeFileSync(rig.incomingPath(TASK, lease), 'tile');
    rig.open.add(1);
    await rig.start();
    await rig.deliver(1, { way: 'store', bytes: 4 });
    await rig.deliver(2, { way: 'store', bytes: 5 });
    await rig.deliver(4, { way: 'store', bytes: 4 });
    await areHanded(rig, '1 store');
    await waitUntil(async () => (await rig.unacknowledged()) === 1, { what: 'the two that are not to be let go' });
    expect(handed(rig)).toEqual(['1 store']);
  });

  test('of a task that is over is let go', async () => {
    const rig = newRig();
    rig.running.clear();
    await rig.start();
    await rig.deliver(1);
    await isClear(rig);
    expect(handed(rig)).toEqual([]);
  });

  test('and is none goes to the dead', async () => {
    const rig = newRig();
    await rig.start();
    for (const [key, frame] of [
      ['other', encode('ok', {})],
      ['garbage', Buffer.from('?')],
    ] as const)
      rig.node.publish({ destination: { to: 'results' }, key, task: TASK, frames: [frame] });
    await waitUntil(() => rig.mirror.report().dead === 2, { what: 'both to be dead' });
  });

  test('goes with its task', async () => {
    const rig = newRig();
    rig.open.add(1);
    await rig.start();
    await rig.deliver(1);
    await areHanded(rig, '1 inline');
    rig.mirror.ended(TASK);
    await isClear(rig);
  });
});

describe('a result whose bytes are in the stream', () => {
  const bytes = randomBytes(2.5 * CHUNK);

  /** A head whose task has streams. */
  async function withStreams(): Promise<MirrorRig> {
    const rig = newRig();
    rig.mirror.block(TASK, 'b'.repeat(32) as BlockId);
    await rig.start();
    return rig;
  }

  test('is handed over when they are in place, which come first', async () => {
    const rig = await withStreams();
    await rig.stream(1, bytes);
    await rig.deliver(1, { way: 'stream', bytes: bytes.length });
    await areHanded(rig, '1 stream');
    expect(bytes.equals(readFileSync(rig.incomingPath(TASK, 1)))).toBe(true);
    expect(readdirSync(rig.directory)).toHaveLength(1);
  });

  test('is whole although the broker was away on the way, and the node sent a part again', async () => {
    const rig = await withStreams();
    await rig.deliver(1, { way: 'stream', bytes: bytes.length });
    await rig.stream(1, bytes, 2 * CHUNK);
    await waitUntil(() => readdirSync(rig.directory).length === 1, { what: 'its first bytes' });
    expect(await rig.unacknowledged()).toBe(1);
    await rig.stream(1, bytes);
    await areHanded(rig, '1 stream');
    expect(bytes.equals(readFileSync(rig.incomingPath(TASK, 1)))).toBe(true);
  });

  test('that is announced again when it was handed over is no dead letter', async () => {
    const rig = await withStreams();
    await rig.stream(1, bytes);
    await rig.deliver(1, { way: 'stream', bytes: bytes.length });
    await areHanded(rig, '1 stream');
    rmSync(rig.incomingPath(TASK, 1));
    await rig.deliver(1, { way: 'stream', bytes: bytes.length });
    await rig.stream(2, bytes);
    await rig.deliver(2, { way: 'stream', bytes: bytes.length });
    await areHanded(rig, '1 stream', '2 stream');
    expect(rig.broker.count('dead')).toBe(0);
  });

  test('does not replace one that is being checked', async () => {
    const rig = await withStreams();
    writeFileSync(rig.incomingPath(TASK, 1), 'under the eyes of the verifier');
    rig.checking.add(1);
    rig.open.add(1);
    for (const lease of [1, 2]) await rig.deliver(lease, { way: 'stream', bytes: bytes.length });
    for (const lease of [1, 2]) await rig.stream(lease, bytes);
    await areHanded(rig, '2 stream');
    expect(readFileSync(rig.incomingPath(TASK, 1), 'utf8')).toBe('under the eyes of the verifier');
  });

  test('leaves nothing behind when its task ends', async () => {
    const rig = await withStreams();
    await rig.deliver(1, { way: 'stream', bytes: bytes.length + 1 });
    await rig.stream(1, bytes);
    await waitUntil(() => readdirSync(rig.directory).length === 1, { what: 'its first bytes' });
    rig.mirror.ended(TASK);
    expect(readdirSync(rig.directory)).toEqual([]);
    await isClear(rig);
  });
});

describe('where every node has a user of its own', () => {
  const rigOfUsers = (): MirrorRig =>
    new MirrorRig({ directory: directories.make(), speaksFor: (user, provider) => user === provider });

  test('what one leaves in the name of another goes to the dead, and is never handed over', async () => {
    const rig = rigOfUsers();
    for (const lease of [1, 2]) rig.open.add(lease);
    await rig.start();
    await rig.deliver(1, { provider: OTHER }, Buffer.from('forged'));
    await rig.deliver(2, {}, Buffer.from('own'));
    await areHanded(rig, '2 inline');
    expect(rig.broker.count('dead')).toBe(1);
    expect(rig.open.has(1)).toBe(true);
  });

  test('chunks that another puts under its lease are none of its result', async () => {
    const rig = rigOfUsers();
    const stranger = rig.stranger();
    const [bytes, forged] = [randomBytes(2 * CHUNK), randomBytes(2 * CHUNK)];
    for (const lease of [1, 2]) rig.open.add(lease);
    rig.mirror.block(TASK, 'b'.repeat(32) as BlockId);
    await rig.start();
    // In the middle of one result, which is lost by that, and before the other.
    await rig.stream(2, bytes, CHUNK);
    await rig.streamBy(stranger, { lease: 2, bytes: forged, total: forged.length });
    await rig.deliver(2, { way: 'stream', bytes: bytes.length });
    await rig.streamBy(stranger, { lease: 1, bytes: forged.subarray(0, CHUNK), total: forged.length });
    await rig.stream(1, bytes);
    await rig.deliver(1, { way: 'stream', bytes: bytes.length });
    await areHanded(rig, '1 stream');
    expect(readFileSync(rig.incomingPath(TASK, 1))).toEqual(bytes);
    await stranger.close({ withinMs: 0 });
  });
});
