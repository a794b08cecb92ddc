/** Who asks and does not read the answers. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { blockIdOf, limits, tcpAddress } from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import { ask, closeRawPeers, dial, frameOf } from './raw-peer.ts';
import { TrustRig } from './trust-rig.ts';

let rig: TrustRig;

beforeAll(async () => {
  rig = await TrustRig.start();
}, 60_000);

afterAll(async () => {
  closeRawPeers();
  await rig.stop();
}, 30_000);

test('gets no more of them kept for him than the limit, and others are served', async () => {
  const keys = await rig.enrolled('submitter');
  const chunk = limits.chunkBytesMax.value;
  const bytes = Buffer.alloc(chunk, 7);
  const block = blockIdOf(bytes);
  const put = dial(rig.endpoint, 'clients', keys);
  put.connect(tcpAddress(rig.endpoint, 'clients'));
  await put.send([frameOf({ type: 'put', fields: { request: 1, block, offset: 0, total: chunk } }, keys), bytes]);
  await put.receive();
  const before = process.memoryUsage().rss;
  const deaf = dial(rig.endpoint, 'clients', keys);
  deaf.receiveHighWaterMark = 1;
  deaf.connect(tcpAddress(rig.endpoint, 'clients'));
  const asked = 4 * limits.answersQueued.value;
  for (let request = 1; request <= asked; request += 1)
    await deaf.send(frameOf({ type: 'fetch', fields: { request, block, offset: 0, length: chunk } }, keys));
  // Behind all of those, because each channel is served in order.
  const answered = async (): Promise<boolean> =>
    (await ask(rig.endpoint, 'clients', { keys, type: 'listNodes', fields: { request: 1 } })).type === 'nodes';
  await waitUntil(answered, { what: 'another one is served' });
  expect(process.memoryUsage().rss - before).toBeLessThan(1.5 * limits.answersQueued.value * chunk);
}, 60_000);
