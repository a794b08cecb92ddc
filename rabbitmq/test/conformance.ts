import { describe, expect, jest, test } from '@jest/globals';
import { waitUntil } from '@muster/shared/testkit';
import type { ProviderId } from '@muster/shared';
import type { Delivery } from '../src/index.ts';
import type { BrokerUnderTest } from './broker-under-test.ts';
import { drainConformance } from './conformance-drains.ts';
import { faultConformance } from './conformance-faults.ts';
import { BackboneRig, dead, hex, settle, textOf, TIMEOUT_MS, toNobody, wait, WAIT_MS } from './conformance-rig.ts';
import { streamConformance } from './conformance-streams.ts';

/** What every backbone promises, whatever is behind it. */
export function backboneConformance(name: string, start: () => Promise<BrokerUnderTest>): void {
  jest.setTimeout(TIMEOUT_MS);
  describe(name, () => {
    const rig = new BackboneRig(start);
    messageConformance(rig);
    streamConformance(rig);
    drainConformance(rig);
    faultConformance(rig);
  });
}

function messageConformance(rig: BackboneRig): void {
  test('messages arrive in order with their frames, and are confirmed', async () => {
    const worker = await rig.open({ role: 'provider' });
    const got = rig.collect(worker, settle);
    const confirmed: string[] = [];
    for (const key of rig.numbered(100)) {
      const frames = [Buffer.from(key), new Uint8Array(0), Buffer.from('raw')];
      rig.head.publish(rig.message(key, { frames }), (outcome) => confirmed.push(`${key} ${outcome}`));
    }
    await rig.head.settled(rig.task);
    await wait('all to arrive', () => got.length === 100);
    expect(got.map(({ key }) => key)).toEqual(rig.numbered(100));
    expect(got.map(textOf)).toEqual(rig.numbered(100).map((key) => `${key}||raw`));
    expect(got.every(({ redelivered, offset }) => !redelivered && offset === 0)).toBe(true);
    expect(confirmed.toSorted()).toEqual(
      rig
        .numbered(100)
        .map((key) => `${key} confirmed`)
        .toSorted(),
    );
    expect(rig.head.status()).toMatchObject({ state: 'up', reason: '', outboxMessages: 0, outboxBytes: 0, lagMs: 0 });
    expect(rig.head.lost(rig.task)).toBe(0);
  });

  test('a provider publishes results that the head drains, and what comes later is consumed', async () => {
    const worker = await rig.open({ role: 'provider' });
    const results = { from: { to: 'results' }, prefetch: 4 } as const;
    for (const key of rig.numbered(25)) worker.publish(rig.message(key, { destination: { to: 'results' } }));
    await worker.settled(rig.task);
    const got: string[] = [];
    const onDelivery = (delivery: Delivery): void => {
      got.push(delivery.key);
      delivery.ack();
    };
    expect(await rig.head.drain(results, { withinMs: TIMEOUT_MS, onDelivery })).toBe(25);
    expect(await rig.head.drain(results, { withinMs: TIMEOUT_MS, onDelivery })).toBe(0);
    rig.head.consume(results, onDelivery);
    worker.publish(rig.message('later', { destination: { to: 'results' } }));
    await wait('the later one', () => got.length === 26);
    expect(got).toEqual([...rig.numbered(25), 'later']);
  });

  test('no more than the prefetch is out; acknowledgements out of order make room', async () => {
    const worker = await rig.open({ role: 'provider' });
    const got = rig.collect(worker, () => undefined, 3);
    for (const key of rig.numbered(5)) rig.head.publish(rig.message(key));
    await wait('the first three', () => got.length === 3);
    got[2]?.ack();
    got[2]?.ack();
    await wait('the fourth', () => got.length === 4);
    got[0]?.ack();
    got[1]?.ack();
    await wait('the fifth', () => got.length === 5);
    expect(got.map(({ key }) => key)).toEqual(rig.numbered(5));
  });

  test('a closed subscription gives back what it holds', async () => {
    const worker = await rig.open({ role: 'provider' });
    const first: Delivery[] = [];
    const subscription = worker.consume(rig.tasksOf(), (delivery) => first.push(delivery));
    rig.head.publish(rig.message('one'));
    await wait('the first delivery', () => first.length === 1);
    await subscription.close();
    const got = rig.collect(worker, settle);
    await wait('the second delivery', () => got.length === 1);
    expect(got[0]).toMatchObject({ key: 'one', redelivered: true });
    expect(first).toHaveLength(1);
  });

  test('what is rejected goes to the dead', async () => {
    const worker = await rig.open({ role: 'provider' });
    rig.collect(worker, (delivery) => (delivery.key === 'poison' ? delivery.reject() : delivery.ack()));
    await rig.head.drain(dead, { withinMs: TIMEOUT_MS, onDelivery: settle });
    await wait('none to be dead', () => rig.head.status().dead === 0);
    rig.head.publish(rig.message('fine'));
    rig.head.publish(rig.message('poison'));
    await wait('the count of the dead', () => rig.head.status().dead === 1);
    expect(worker.status().dead).toBe(0);
    const got: string[] = [];
    await waitUntil(
      async () => {
        const take = (delivery: Delivery): void => {
          got.push(delivery.key);
          delivery.ack();
        };
        await rig.head.drain(dead, { withinMs: TIMEOUT_MS, onDelivery: take });
        return got.length > 0;
      },
      { what: 'the dead letter', timeoutMs: WAIT_MS },
    );
    expect(got).toEqual(['poison']);
  });

  test('a message that no queue takes is counted, not confirmed, and reported as lost', async () => {
    rig.head.publish(rig.message('nowhere', toNobody), rig.outcomeOf('nowhere'));
    rig.head.publish(rig.message('somewhere'), rig.outcomeOf('somewhere'));
    await rig.head.settled(rig.task);
    expect(rig.head.lost(rig.task)).toBe(1);
    expect(rig.outcomes.toSorted()).toEqual(['nowhere lost', 'somewhere confirmed']);
    expect(rig.head.status()).toMatchObject({ unrouted: 1, confirmed: 1, outboxMessages: 0 });
  });

  test('a task is forgotten, with what is still on its way', async () => {
    rig.head.publish(rig.message('nowhere', toNobody));
    await rig.head.settled(rig.task);
    rig.head.publish(rig.message('late', toNobody));
    expect(rig.head.lost(rig.task)).toBe(1);
    rig.head.forget(rig.task);
    expect(rig.head.lost(rig.task)).toBe(0);
    await rig.head.settled(rig.task);
    expect(rig.head.status().unrouted).toBe(2);
    expect(rig.head.lost(rig.task)).toBe(0);
  });

  test('the same key that waits is one publication, and every caller hears of it', async () => {
    const worker = await rig.open({ role: 'provider' });
    const got = rig.collect(worker, settle);
    const heard: number[] = [];
    rig.head.publish(rig.message('once'), () => heard.push(1));
    rig.head.publish(rig.message('once'), () => heard.push(2));
    rig.head.publish(rig.message('end'));
    await rig.head.settled(rig.task);
    await wait('the end', () => got.some(({ key }) => key === 'end'));
    expect(got.map(({ key }) => key)).toEqual(['once', 'end']);
    expect(heard).toEqual([1, 2]);
  });

  test('work of a capability goes to one of those who take it', async () => {
    const capability = hex();
    const workers = [await rig.open({ role: 'provider' }), await rig.open({ role: 'provider' })];
    const got: string[] = [];
    for (const worker of workers)
      worker.consume({ from: { to: 'work', capability }, prefetch: 1 }, (delivery) => {
        got.push(delivery.key);
        delivery.ack();
      });
    for (const key of rig.numbered(10)) rig.head.publish(rig.message(key, { destination: { to: 'work', capability } }));
    await wait('all', () => got.length >= 10);
    expect(got.toSorted()).toEqual(rig.numbered(10).toSorted());
  });

  test('a consumer waits for a queue that comes later', async () => {
    const late = hex() as ProviderId;
    const worker = await rig.open({ role: 'provider' });
    const got: string[] = [];
    worker.consume({ from: { to: 'provider', provider: late }, prefetch: 1 }, (delivery) => {
      got.push(delivery.key);
      delivery.ack();
    });
    rig.head.admit(late);
    rig.head.publish(rig.message('hello', { destination: { to: 'provider', provider: late } }));
    await wait('the message', () => got.length === 1);
    rig.head.dismiss(late);
    rig.head.publish(rig.message('nobody', { destination: { to: 'provider', provider: late } }));
    await rig.head.settled(rig.task);
    expect(rig.head.status().unrouted).toBe(1);
  });
}
