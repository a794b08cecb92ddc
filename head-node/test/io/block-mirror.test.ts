import { afterEach, describe, expect, test } from '@jest/globals';
import { decode, type BlockId, type TaskId } from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import type { Delivery } from '@muster/rabbitmq';
import { CHUNK, MirrorRig, stopRigs, TASK, type MirrorRigOptions } from './mirror-rig.ts';

afterEach(stopRigs);

const STREAMS = [`t.${TASK}.blocks`, `t.${TASK}.results`];
const idOf = (name: string): BlockId => name.repeat(32) as BlockId;

function rigWith(sizes: Record<string, number>, options: MirrorRigOptions = {}): MirrorRig {
  const rig = new MirrorRig(options);
  for (const [name, bytes] of Object.entries(sizes)) rig.blocks.set(idOf(name), new Uint8Array(bytes));
  return rig;
}

/** Chunks of operands that are in the broker, as `block at offset`. */
async function chunksIn({ node }: MirrorRig): Promise<string[]> {
  const chunks: string[] = [];
  const onDelivery = (delivery: Delivery): void => {
    const { message } = decode(delivery.frames);
    if (message.type === 'block') chunks.push(`${message.block[0]} at ${message.offset / CHUNK}`);
    delivery.ack();
  };
  await node.drain({ from: { to: 'blocks', task: TASK }, offset: 0 }, { withinMs: 5000, onDelivery });
  return chunks;
}

const isEmpty = ({ mirror }: MirrorRig): boolean => mirror.report().blockOutboxBytes === 0;

describe('operands in the broker', () => {
  test('stay out of it until a node is cut off, and then as many go as the budget has room for', async () => {
    const policy = { mode: 'onDisconnect', budgetBytes: 3.5 * CHUNK } as const;
    const rig = rigWith({ a: 2 * CHUNK, b: 2 * CHUNK, c: CHUNK + 5 }, { policy });
    for (const name of ['a', 'b', 'c']) rig.mirror.block(TASK, idOf(name));
    expect(isEmpty(rig)).toBe(true);
    rig.mirror.cut(TASK);
    await waitUntil(() => isEmpty(rig), { what: 'all to be confirmed' });
    expect(await chunksIn(rig)).toEqual(['a at 0', 'a at 1', 'c at 0', 'c at 1']);
  });

  test('wait as blocks, and not as bytes, for a broker that confirms nothing', async () => {
    const names = Array.from({ length: 16 }, (_, at) => at.toString(16));
    const rig = rigWith(Object.fromEntries(names.map((name) => [name, 2 * CHUNK])));
    rig.broker.freeze();
    for (const name of names) rig.mirror.block(TASK, idOf(name));
    expect(rig.mirror.report().blockOutboxBytes).toBeLessThan(17 * CHUNK);
    rig.broker.thaw();
    await waitUntil(() => isEmpty(rig), { what: 'all to be confirmed' });
    expect(await chunksIn(rig)).toEqual(names.flatMap((name) => [`${name} at 0`, `${name} at 1`]));
  });

  test('are withdrawn when all is accepted: the end of a task does not wait for bulk', async () => {
    const rig = rigWith({ a: CHUNK });
    rig.broker.block();
    rig.mirror.block(TASK, idOf('a'));
    expect(await rig.mirror.complete(TASK)).toBe(0);
    expect(isEmpty(rig)).toBe(true);
  });
});

describe('the streams of a task', () => {
  const areThere = ({ broker }: MirrorRig): boolean => STREAMS.every((name) => broker.has(name));
  const areGone = ({ broker }: MirrorRig): boolean => !STREAMS.some((name) => broker.has(name));

  test('are there from its first block on, and go with it', async () => {
    const streams = new Set<TaskId>();
    const rig = rigWith({ a: 10 }, { streams, policy: { mode: 'never' } });
    rig.mirror.block(TASK, idOf('a'));
    expect(areThere(rig)).toBe(true);
    expect(streams).toEqual(new Set([TASK]));
    rig.mirror.ended(TASK);
    await waitUntil(() => streams.size === 0, { what: 'the broker to say so' });
    expect(areGone(rig)).toBe(true);
  });

  test('go in the next life of a head whose broker was away at the end of the task', async () => {
    const streams = new Set<TaskId>();
    const first = rigWith({ a: 10 }, { streams });
    first.mirror.block(TASK, idOf('a'));
    await waitUntil(() => isEmpty(first), { what: 'the block to be confirmed' });
    const { broker } = first;
    broker.down();
    first.mirror.ended(TASK);
    await stopRigs();
    expect(streams).toEqual(new Set([TASK]));
    broker.up();
    const second = new MirrorRig({ broker, streams });
    second.running.clear();
    await second.start();
    await waitUntil(() => streams.size === 0, { what: 'the broker to say so' });
    expect(areGone(second)).toBe(true);
  });

  test('stay for a task that goes on in the next life', async () => {
    const streams = new Set<TaskId>([TASK]);
    const rig = new MirrorRig({ streams });
    await rig.start();
    expect(areThere(rig)).toBe(true);
    rig.mirror.ended(TASK);
    await waitUntil(() => streams.size === 0, { what: 'the broker to say so' });
  });
});
