import { expect, test } from '@jest/globals';
import { waitUntil } from '@muster/shared/testkit';
import type { Delivery } from '../src/index.ts';
import { dead, settle, TIMEOUT_MS, wait, WAIT_MS, type BackboneRig } from './conformance-rig.ts';

/** Receivers that fail, hold what they get or leave early, and drains that must end all the same. */
export function drainConformance(rig: BackboneRig): void {
  test('a receiver that fails costs its message and nothing else', async () => {
    const worker = await rig.open({ role: 'provider' });
    const states: string[] = [];
    worker.onState(({ state }) => states.push(state));
    const got = rig.collect(worker, (delivery) => {
      if (delivery.key === 'poison') throw new Error('cannot work this off');
      delivery.ack();
    });
    await rig.head.drain(dead, { withinMs: TIMEOUT_MS, onDelivery: settle });
    for (const key of ['poison', 'fine']) rig.head.publish(rig.message(key));
    await wait('the one behind', () => got.length === 2);
    const refused: string[] = [];
    const onDelivery = (delivery: Delivery): void => {
      refused.push(delivery.key);
      delivery.ack();
    };
    const refusal = async (): Promise<boolean> =>
      (await rig.head.drain(dead, { withinMs: TIMEOUT_MS, onDelivery })) > 0;
    await waitUntil(refusal, { what: 'the dead letter', timeoutMs: WAIT_MS });
    expect(refused).toEqual(['poison']);
    expect(got.map(({ redelivered }) => redelivered)).toEqual([false, false]);
    expect(states).toEqual(['up']);
  });

  test('a reader that fails at every message sees all of a stream', async () => {
    const blocks = { to: 'blocks', task: rig.task } as const;
    rig.head.openTask(rig.task);
    for (const key of rig.numbered(40)) rig.head.publish(rig.message(key, { destination: blocks }));
    await rig.head.settled(rig.task);
    const worker = await rig.open({ role: 'provider' });
    const got: number[] = [];
    worker.read({ from: blocks, offset: 0 }, ({ offset }) => {
      got.push(offset);
      throw new Error('cannot use this');
    });
    await wait('all', () => got.length >= 40);
    expect(got).toEqual(Array.from({ length: 40 }, (_, at) => at));
    rig.head.closeTask(rig.task);
  });

  test('acknowledging and rejecting while the subscription closes is harmless', async () => {
    const worker = await rig.open({ role: 'provider' });
    const got: Delivery[] = [];
    const subscription = worker.consume(rig.tasksOf(), (delivery) => got.push(delivery));
    for (const key of rig.numbered(2)) rig.head.publish(rig.message(key));
    await wait('both', () => got.length === 2);
    got[0]?.ack();
    const closing = subscription.close();
    got[1]?.reject();
    await closing;
    const later = rig.collect(worker, settle);
    rig.head.publish(rig.message('after'));
    await wait('what comes after', () => later.some(({ key }) => key === 'after'));
    expect(worker.status().state).toBe('up');
  });

  test('a drain whose deliveries are all held ends, and gives the rest to the next', async () => {
    for (const key of rig.numbered(6)) rig.head.publish(rig.message(key));
    await rig.head.settled(rig.task);
    const held: Delivery[] = [];
    const onDelivery = (delivery: Delivery): void => void held.push(delivery);
    expect(await rig.head.drain(rig.tasksOf(2), { withinMs: 1500, onDelivery })).toBe(2);
    expect(held.map(({ key }) => key)).toEqual(rig.numbered(2));
    for (const delivery of held) delivery.ack();
    expect(await rig.head.drain(rig.tasksOf(2), { withinMs: TIMEOUT_MS, onDelivery: settle })).toBe(4);
  });

  test('what comes behind a drain that holds its deliveries goes to others, and what it holds to them when it is cut off', async () => {
    rig.head.publish(rig.message('first'));
    await rig.head.settled(rig.task);
    const held: Delivery[] = [];
    const onDelivery = (delivery: Delivery): void => void held.push(delivery);
    expect(await rig.head.drain(rig.tasksOf(), { withinMs: TIMEOUT_MS, onDelivery })).toBe(1);
    const got = rig.collect(rig.head, () => undefined);
    rig.head.publish(rig.message('second'));
    await wait('the second', () => got.length === 1);
    await rig.broker.cutConnections();
    await wait('both', () => got.length === 3);
    expect(got.map(({ key }) => key).toSorted()).toEqual(['first', 'second', 'second']);
    expect(held).toHaveLength(1);
    for (const delivery of got) delivery.ack();
  });

  test('the stream of an earlier life is deleted by a head that never opened it', async () => {
    const blocks = { to: 'blocks', task: rig.task } as const;
    rig.head.openTask(rig.task);
    rig.head.publish(rig.message('chunk', { destination: blocks }));
    await rig.head.settled(rig.task);
    const second = await rig.open({ role: 'head' });
    const left = (): Promise<number> =>
      second.drain({ from: blocks, offset: 0 }, { withinMs: WAIT_MS, onDelivery: settle });
    expect(await left()).toBe(1);
    const gone: string[] = [];
    second.closeTask(rig.task, () => gone.push('streams'));
    await wait('the streams to be gone', () => gone.length > 0);
    expect(await left()).toBe(0);
    expect(gone).toEqual(['streams']);
    expect(second.status().unrouted).toBe(0);
  });
}
