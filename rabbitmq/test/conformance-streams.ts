import { expect, test } from '@jest/globals';
import type { Delivery } from '../src/index.ts';
import { TIMEOUT_MS, wait, WAIT_MS, type BackboneRig } from './conformance-rig.ts';

function nothingExpected(): never {
  throw new Error('nothing can come');
}

export function streamConformance(rig: BackboneRig): void {
  test('a stream is read from its first offset and from any other, by as many as like', async () => {
    const blocks = { to: 'blocks', task: rig.task } as const;
    const none = { withinMs: WAIT_MS, onDelivery: nothingExpected };
    expect(await rig.head.drain({ from: blocks, offset: 0 }, none)).toBe(0);
    rig.head.openTask(rig.task);
    for (const key of rig.numbered(40)) rig.head.publish(rig.message(key, { destination: blocks }));
    await rig.head.settled(rig.task);
    const worker = await rig.open({ role: 'provider' });
    const [first, from30]: [Delivery[], Delivery[]] = [[], []];
    const into = (list: Delivery[]) => (delivery: Delivery) => {
      list.push(delivery);
      delivery.ack();
    };
    worker.read({ from: blocks, offset: 0 }, into(first));
    worker.read({ from: blocks, offset: 30 }, into(from30));
    await wait('both readers', () => first.length === 40 && from30.length === 10);
    expect(first.map(({ key }) => key)).toEqual(rig.numbered(40));
    expect(first.map(({ offset }) => offset)).toEqual(Array.from({ length: 40 }, (_, at) => at));
    expect(from30.map(({ key }) => key)).toEqual(rig.numbered(40).slice(30));
    rig.head.publish(rig.message('live', { destination: blocks }));
    await wait('what comes while reading', () => from30.some(({ key }) => key === 'live'));
    rig.head.closeTask(rig.task);
  });

  test('a reader goes on behind the last one after a lost connection; a drain ends at the present end', async () => {
    rig.head.openTask(rig.task);
    const blocks = { to: 'blocks', task: rig.task } as const;
    for (const key of rig.numbered(20)) rig.head.publish(rig.message(key, { destination: blocks }));
    await rig.head.settled(rig.task);
    const worker = await rig.open({ role: 'provider' });
    const got: number[] = [];
    worker.read({ from: blocks, offset: 0 }, (delivery) => {
      got.push(delivery.offset);
      delivery.ack();
    });
    await wait('the first part', () => got.length === 20);
    await rig.broker.cutConnections();
    await wait('the head to be back', () => rig.head.status().state === 'up');
    for (const key of rig.numbered(30).slice(20)) rig.head.publish(rig.message(key, { destination: blocks }));
    await wait('the second part', () => got.length >= 30);
    expect(got).toEqual(Array.from({ length: 30 }, (_, at) => at));
    const drained: number[] = [];
    const onDelivery = (delivery: Delivery): void => {
      drained.push(delivery.offset);
      delivery.ack();
    };
    expect(await worker.drain({ from: blocks, offset: 25 }, { withinMs: TIMEOUT_MS, onDelivery })).toBe(5);
    expect(drained).toEqual([25, 26, 27, 28, 29]);
    expect(await worker.drain({ from: blocks, offset: 30 }, { withinMs: TIMEOUT_MS, onDelivery })).toBe(0);
    rig.head.closeTask(rig.task);
  });

  test('a stream is read from a time on', async () => {
    const blocks = { to: 'blocks', task: rig.task } as const;
    rig.head.openTask(rig.task);
    rig.head.publish(rig.message('old', { destination: blocks }));
    await rig.head.settled(rig.task);
    // The broker counts in full seconds.
    const sinceWallMs = 1000 * Math.ceil(Date.now() / 1000 + 1);
    await wait('the time to come', () => Date.now() > sinceWallMs);
    for (const key of ['new', 'newer']) rig.head.publish(rig.message(key, { destination: blocks }));
    await rig.head.settled(rig.task);
    const [drained, read]: [string[], string[]] = [[], []];
    const into = (list: string[]) => (delivery: Delivery) => {
      list.push(delivery.key);
      delivery.ack();
    };
    const source = { from: blocks, offset: { sinceWallMs } };
    expect(await rig.head.drain(source, { withinMs: TIMEOUT_MS, onDelivery: into(drained) })).toBe(2);
    rig.head.read(source, into(read));
    await wait('the reader', () => read.length === 2);
    expect([drained, read]).toEqual([
      ['new', 'newer'],
      ['new', 'newer'],
    ]);
    rig.head.closeTask(rig.task);
  });
}
