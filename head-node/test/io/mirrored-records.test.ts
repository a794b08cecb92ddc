import { afterEach, expect, test } from '@jest/globals';
import { limits, silentLogger } from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import { MemoryBroker } from '@muster/rabbitmq/testkit';
import { RecordBatch, type Batch } from '../../src/io/record-batch.ts';
import { accepted, MirrorRig, stopRigs, submitted, TASK } from './mirror-rig.ts';

afterEach(stopRigs);

/** More than one message of the broker could hold. */
const MANY = 150_000;

test('all that a large task has been is written to the broker by a head that starts again, and an audit reads it', async () => {
  const rig = new MirrorRig();
  rig.mirror.record(submitted);
  for (let index = 0; index < MANY; index += 1) rig.mirror.record(accepted(index));
  expect(await rig.mirror.complete(TASK)).toBe(0);
  const history = await rig.mirror.events({ task: TASK, acceptedWallMs: Date.now() });
  expect(history?.acceptances).toHaveLength(MANY);
  expect(history?.acceptances.every(({ from }, at) => from === at)).toBe(true);
}, 30_000);

const HOUR_MS = 3_600_000;

/** A stream with 50 events of other tasks, hours before ours begins and ends; each read counts, for none of them can be read. */
async function oldStream(): Promise<{ rig: MirrorRig; reads: () => number; acceptedWallMs: number }> {
  let wallMs = 100 * HOUR_MS;
  let reads = 0;
  const logger = { ...silentLogger, warn: () => (reads += 1) };
  const rig = new MirrorRig({ broker: new MemoryBroker({ wallMs: () => wallMs }), logger });
  for (let at = 0; at < 50; at += 1)
    rig.node.publish({ destination: { to: 'events' }, key: `old ${at}`, task: TASK, frames: [Buffer.from('?')] });
  await rig.node.settled(TASK);
  wallMs += 5 * HOUR_MS;
  rig.mirror.record(submitted);
  rig.mirror.record(accepted(0));
  expect(await rig.mirror.complete(TASK)).toBe(0);
  return { rig, reads: () => reads, acceptedWallMs: wallMs };
}

test('an audit reads no events that are older than its task', async () => {
  const { rig, reads, acceptedWallMs } = await oldStream();
  const history = await rig.mirror.events({ task: TASK, acceptedWallMs });
  expect(history).toMatchObject({ begun: true, acceptances: [{ from: 0, to: 1 }] });
  expect(reads()).toBe(0);
});

test('an audit reads all of them where the clocks of head and broker are far apart', async () => {
  const { rig, reads, acceptedWallMs } = await oldStream();
  const history = await rig.mirror.events({ task: TASK, acceptedWallMs: acceptedWallMs + 2 * HOUR_MS });
  expect(history).toMatchObject({ begun: true, acceptances: [{ from: 0, to: 1 }] });
  expect(reads()).toBe(50);
});

test('records of one moment are one message, and large ones as many as they need', () => {
  const batches: Batch[] = [];
  const records = new RecordBatch((batch) => void batches.push(batch), silentLogger);
  for (let index = 0; index < 64; index += 1) records.add(accepted(index));
  records.flush();
  expect(batches).toHaveLength(1);
  const ranges = Array.from({ length: 8192 }, (_, at) => at + 1e6);
  for (let index = 0; index < 100; index += 1) records.add({ ...accepted(index), ranges: [...ranges] });
  records.flush();
  expect(batches.length).toBeGreaterThan(2);
  expect(Math.max(...batches.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(limits.chunkBytesMax.value);
  expect(new Set(batches.map(({ key }) => key)).size).toBe(batches.length);
});

test('what cannot be published counts as lost and ends nobody, until its task is forgotten', async () => {
  let failed = 0;
  const records = new RecordBatch(() => {
    failed += 1;
    throw new Error('too large for any broker');
  }, silentLogger);
  records.add(accepted(0));
  await waitUntil(() => failed === 1, { what: 'the timer of the batch' });
  records.add(accepted(1));
  await records.written(TASK);
  expect(records.lost(TASK)).toBe(2);
  records.forget(TASK);
  expect(records.lost(TASK)).toBe(0);
});
