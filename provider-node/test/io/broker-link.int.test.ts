import { afterEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode, encode } from '@muster/shared';
import { TemporaryDirectories, waitUntil } from '@muster/shared/testkit';
import type { Delivery } from '@muster/rabbitmq';
import { CHUNK, finished, LinkRig, stopRigs, TASK } from './link-rig.ts';

const directories = new TemporaryDirectories();
afterEach(async () => {
  await stopRigs();
  directories.removeAll();
});

const start = (): Promise<LinkRig> => LinkRig.start(directories.make());

const isWith = (rig: LinkRig, ...results: string[]): Promise<unknown> =>
  waitUntil(() => rig.results.join() === results.join(), { what: `results ${results.join()}` });

describe('the copy of a lease', () => {
  test('is acknowledged when its result is with the broker, and not before', async () => {
    const rig = await start();
    rig.held.add(1);
    await rig.lease(1);
    expect(await rig.unacknowledged()).toBe(1);
    await waitUntil(() => rig.copies.at(-1)?.again, { what: 'the copy again' });
    expect(rig.copies.map(({ epoch }) => epoch)).toEqual([3, 3]);
    rig.link.deliver(finished(1), 'inline');
    await isWith(rig, '1 inline');
    await waitUntil(async () => (await rig.unacknowledged()) === 0, { what: 'the copy to be acknowledged' });
  });

  test('is acknowledged at once when the lease is not held, or its result is with the broker', async () => {
    const rig = await start();
    await rig.lease(1);
    rig.held.add(2);
    rig.link.deliver(finished(2), 'inline');
    await isWith(rig, '2 inline');
    await rig.lease(2);
    await waitUntil(async () => (await rig.unacknowledged()) === 0, { what: 'both to be acknowledged' });
  });

  test('is acknowledged when the lease is over, and a result that has not left yet stays here', async () => {
    const rig = await start();
    rig.held.add(1);
    await rig.lease(1);
    rig.broker.block();
    rig.link.deliver(finished(1), 'inline');
    rig.link.release(1);
    rig.held.delete(1);
    rig.link.deliver(finished(2), 'inline');
    rig.broker.unblock();
    await isWith(rig, '2 inline');
    await waitUntil(async () => (await rig.unacknowledged()) === 0, { what: 'the copy to be acknowledged' });
  });

  test('that is none goes to the dead', async () => {
    const rig = await start();
    await rig.toNode('other', [encode('ok', {})]);
    await rig.toNode('garbage', [Buffer.from('?')]);
    await waitUntil(() => rig.head.status().dead === 2, { what: 'both to be dead' });
    expect(rig.copies).toEqual([]);
  });
});

describe('the bytes of a result for a head that is away', () => {
  function fileOf(rig: LinkRig, bytes: Uint8Array): string {
    const path = join(directories.make(), 'result');
    writeFileSync(path, bytes);
    rig.held.add(1);
    return path;
  }

  async function streamed(rig: LinkRig): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    const onDelivery = (delivery: Delivery): void => {
      const { message, payload } = decode(delivery.frames);
      if (message.type === 'streamedChunk' && payload !== null) chunks.push(payload);
      delivery.ack();
    };
    await rig.head.drain({ from: { to: 'resultChunks', task: TASK }, offset: 0 }, { withinMs: 5000, onDelivery });
    return Buffer.concat(chunks);
  }

  test('are all in the stream before the result is announced', async () => {
    const rig = await start();
    rig.head.openTask(TASK);
    const bytes = randomBytes(2.5 * CHUNK);
    const path = fileOf(rig, bytes);
    rig.broker.mute(`t.${TASK}.results`);
    rig.link.deliver(finished(1, path), 'stream');
    rig.link.deliver(finished(2), 'inline');
    await isWith(rig, '2 inline');
    rig.broker.unmute(`t.${TASK}.results`);
    await isWith(rig, '2 inline', '1 stream');
    expect((await streamed(rig)).equals(bytes)).toBe(true);
  });

  test('are sent again when there was no stream for them', async () => {
    const rig = await start();
    const bytes = randomBytes(1000);
    const path = fileOf(rig, bytes);
    await rig.lease(1);
    rig.link.deliver(finished(1, path), 'stream');
    await waitUntil(() => rig.broker.count('unrouted') === 1, { what: 'the chunk to come back' });
    rig.head.openTask(TASK);
    rig.link.deliver(finished(2), 'inline');
    await isWith(rig, '2 inline');
    // As the core does when the copy of the lease comes again.
    rig.link.deliver(finished(1, path), 'stream');
    await isWith(rig, '2 inline', '1 stream');
    expect((await streamed(rig)).equals(bytes)).toBe(true);
    await waitUntil(async () => (await rig.unacknowledged()) === 0, { what: 'the copy to be acknowledged' });
  });
});
