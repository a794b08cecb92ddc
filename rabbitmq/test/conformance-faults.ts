import { expect, test } from '@jest/globals';
import type { ProviderId, TaskId } from '@muster/shared';
import type { Delivery } from '../src/index.ts';
import { hex, settle, TIMEOUT_MS, wait, type BackboneRig } from './conformance-rig.ts';

/** Brokers that are away, blocked, full or silent. */
export function faultConformance(rig: BackboneRig): void {
  test('what was not acknowledged comes again after the connection is lost; late acknowledgements are harmless', async () => {
    const worker = await rig.open({ role: 'provider' });
    const got = rig.collect(worker, (delivery) => delivery.key.endsWith('/0') && delivery.ack());
    for (const key of rig.numbered(3)) rig.head.publish(rig.message(key));
    await wait('all', () => got.length === 3);
    // The acknowledgement of the first must be through before the cut.
    await wait('the first to be forgotten', () => got[0] && rig.head.status().outboxMessages === 0);
    await rig.head.settled(rig.task);
    await rig.broker.cutConnections();
    await wait('the others again', () => got.filter(({ redelivered }) => redelivered).length >= 2);
    got[1]?.ack();
    const again = got.filter(({ redelivered }) => redelivered).map(({ key }) => key);
    expect(again.slice(-2)).toEqual(rig.numbered(3).slice(1));
    for (const delivery of got.slice(3)) delivery.ack();
    await wait('both to be up', () => worker.status().state === 'up' && rig.head.status().state === 'up');
    rig.head.publish(rig.message('after'));
    await wait('what came after', () => got.some(({ key }) => key === 'after'));
  });

  test('a full outbox drops what comes, counts it, and reports the task', async () => {
    const small = await rig.open({ role: 'head', maxOutboxBytes: 4000 });
    small.admit(rig.provider);
    for (const key of ['one', 'two', 'three'])
      small.publish(rig.message(key, { frames: [new Uint8Array(1500)] }), rig.outcomeOf(key));
    expect(rig.outcomes).toEqual([]);
    await small.settled(rig.task);
    expect(rig.outcomes).toEqual(['three lost', 'one confirmed', 'two confirmed']);
    expect(small.status()).toMatchObject({ dropped: 1, confirmed: 2 });
    expect(small.lost(rig.task)).toBe(1);
  });

  test('while blocked nothing is sent and nothing lost, and deliveries still come', async () => {
    const worker = await rig.open({ role: 'provider' });
    const got = rig.collect(worker, () => undefined);
    rig.head.publish(rig.message('before'));
    await wait('the one before', () => got.length === 1);
    await rig.head.settled(rig.task);
    await rig.broker.block();
    // The broker says that it is blocked when the first publication comes.
    rig.head.publish(rig.message('blocked'));
    await wait('the news', () => rig.head.status().state === 'blocked');
    expect(rig.head.status().reason).not.toBe('');
    for (const key of rig.numbered(20)) rig.head.publish(rig.message(key));
    expect(rig.head.status().outboxMessages).toBe(21);
    expect(got).toHaveLength(1);
    await rig.broker.unblock();
    await wait('all to be confirmed', () => rig.head.status().outboxMessages === 0);
    for (const delivery of got) delivery.ack();
    await wait('the state to clear', () => rig.head.status().state === 'up');
    expect(rig.head.status()).toMatchObject({ dropped: 0, reason: '' });
  });

  test('while blocked, who has published chunks reads a stream to its end', async () => {
    const blocks = { to: 'blocks', task: rig.task } as const;
    rig.head.openTask(rig.task);
    for (const key of rig.numbered(60)) rig.head.publish(rig.message(key, { destination: blocks }));
    await rig.head.settled(rig.task);
    await rig.broker.block();
    try {
      rig.head.publish(rig.message('blocked', { destination: blocks }));
      await wait('the news', () => rig.head.status().state === 'blocked');
      const got: Delivery[] = [];
      // More than the broker gives without an acknowledgement.
      rig.head.read({ from: blocks, offset: 0 }, (delivery) => {
        got.push(delivery);
        delivery.ack();
      });
      await wait('all', () => got.length === 60);
    } finally {
      await rig.broker.unblock();
    }
    await rig.head.settled(rig.task);
    rig.head.closeTask(rig.task);
  });

  test('with the broker away: publishing goes on, withdrawn work leaves and settles its task, the watermark waits, the rest is sent', async () => {
    const worker = await rig.open({ role: 'provider' });
    const got = rig.collect(worker, settle);
    const seen: string[] = [];
    rig.head.onState(({ state }) => seen.push(state));
    await rig.broker.kill();
    await wait('the news', () => rig.head.status().state === 'down');
    const keys = rig.numbered(50);
    for (const key of keys) rig.head.publish(rig.message(key));
    rig.head.withdraw(keys.slice(10, 40));
    let settled = false;
    const settling = rig.head.settled(rig.task).then(() => (settled = true));
    rig.head.publish(
      rig.message('bulk', { destination: { to: 'blocks', task: rig.task }, frames: [new Uint8Array(100_000)] }),
    );
    expect(rig.head.status()).toMatchObject({ outboxMessages: 20, state: 'down' });
    expect(rig.head.status().outboxBytes).toBeLessThan(100_000);
    expect(rig.head.status().blockOutboxBytes).toBeGreaterThan(100_000);
    rig.head.withdraw(['bulk']);
    expect(rig.head.status().blockOutboxBytes).toBe(0);
    expect(rig.head.status().reason).not.toBe('');
    await expect(rig.head.drain(rig.tasksOf(), { withinMs: 50, onDelivery: settle })).rejects.toMatchObject({
      code: 'BACKBONE_DOWN',
    });
    const other = hex() as TaskId;
    rig.head.publish(rig.message('only', { task: other }));
    const withdrawn = rig.head.settled(other);
    rig.head.withdraw(['only']);
    await withdrawn;
    expect(rig.head.lost(other)).toBe(0);
    expect(settled).toBe(false);
    await rig.broker.restart();
    await settling;
    const expected = [...keys.slice(0, 10), ...keys.slice(40)];
    await wait('all to arrive', () => new Set(got.map(({ key }) => key)).size === 20);
    expect([...new Set(got.map(({ key }) => key))]).toEqual(expected);
    await wait('both connections', () => rig.head.status().state === 'up');
    expect(seen).toEqual(['up', 'down', 'up']);
    expect(rig.head.status().confirmed).toBe(20);
    rig.head.withdraw(['unknown']);
  });

  test('under load nothing is lost when the broker dies and comes back', async () => {
    const worker = await rig.open({ role: 'provider' });
    const arrived = new Set<string>();
    rig.collect(worker, (delivery) => {
      arrived.add(delivery.key);
      delivery.ack();
    });
    const confirmed = new Set<string>();
    let next = 0;
    const pace = setInterval(() => {
      for (let at = 0; at < 4; at += 1) {
        const key = `${rig.task}/${next++}`;
        rig.head.publish(rig.message(key, { frames: [new Uint8Array(2000)] }), () => confirmed.add(key));
      }
    }, 5);
    await wait('the load', () => confirmed.size > 500);
    await rig.broker.kill();
    await wait('the news', () => rig.head.status().state === 'down');
    await rig.broker.restart();
    const before = confirmed.size;
    await wait('the load to go on', () => confirmed.size > before + 500);
    clearInterval(pace);
    await rig.head.settled(rig.task);
    await wait('all to arrive', () => arrived.size === next);
    expect(confirmed.size).toBe(next);
    expect(rig.head.lost(rig.task)).toBe(0);
    expect(rig.head.status()).toMatchObject({ dropped: 0, unrouted: 0 });
  });

  test('streams of a task that ended while the broker was away go when it is back', async () => {
    rig.head.openTask(rig.task);
    rig.head.publish(rig.message('chunk', { destination: { to: 'resultChunks', task: rig.task } }));
    await rig.head.settled(rig.task);
    await rig.broker.kill();
    await wait('the news', () => rig.head.status().state === 'down');
    let gone = false;
    rig.head.closeTask(rig.task, () => (gone = true));
    await rig.broker.restart();
    await wait('the streams to be gone', () => gone);
  });

  test('closing sends what is left, and deletes what is to go', async () => {
    const brief = await rig.open({ role: 'head' });
    brief.admit(rig.provider);
    brief.openTask(rig.task);
    for (const key of rig.numbered(10)) brief.publish(rig.message(key));
    let gone = false;
    brief.closeTask(rig.task, () => (gone = true));
    await brief.close({ withinMs: 10_000 });
    expect(gone).toBe(true);
    expect(await rig.head.drain(rig.tasksOf(), { withinMs: TIMEOUT_MS, onDelivery: settle })).toBe(10);
  });

  test('a broker that confirms nothing while messages wait is blocked, until it does', async () => {
    const hasty = await rig.open({ role: 'head', maxSilenceMs: 500 });
    const states: string[] = [];
    hasty.onState(({ state }) => states.push(state));
    rig.broker.freeze();
    try {
      hasty.publish(rig.message('mute', { destination: { to: 'results' } }), rig.outcomeOf('mute'));
      await wait('the news', () => states.at(-1) === 'blocked');
      expect(hasty.status()).toMatchObject({
        state: 'blocked',
        reason: expect.stringMatching(/^no confirmation for \d/),
      });
    } finally {
      rig.broker.thaw();
    }
    await hasty.settled(rig.task);
    expect(hasty.status()).toMatchObject({ state: 'up', reason: '' });
    await wait('the other news', () => states.at(-1) === 'up');
    expect(states).toEqual(['up', 'blocked', 'up']);
    expect(rig.outcomes).toEqual(['mute confirmed']);
  });

  test('a queue that confirms nothing while others do is mute: what is for it waits, and delays nobody', async () => {
    const hasty = await rig.open({ role: 'head', maxSilenceMs: 500 });
    const provider = hex() as ProviderId;
    const stuck = { destination: { to: 'provider', provider } } as const;
    hasty.admit(provider);
    hasty.publish(rig.message('before', stuck));
    await hasty.settled(rig.task);
    await rig.broker.mute(`p.${provider}.tasks`);
    let confirmed = 0;
    let next = 0;
    const pace = setInterval(() => {
      const key = `${rig.task}/${next++}`;
      hasty.publish(rig.message(key, { destination: { to: 'results' } }), () => (confirmed += 1));
    }, 10);
    try {
      const sinceMs = performance.now();
      hasty.publish(rig.message('stuck', stuck), rig.outcomeOf('stuck'));
      await wait('the news', () => hasty.status().muteQueues === 1);
      expect(hasty.status()).toMatchObject({ state: 'up', reason: '' });
      expect(hasty.status().lagMs).toBeLessThan(performance.now() - sinceMs);
      expect(hasty.isMute(stuck.destination)).toBe(true);
      hasty.publish(rig.message('later', stuck), rig.outcomeOf('later'));
      const before = confirmed;
      await wait('the others to go on', () => confirmed > before + 20);
      expect(rig.outcomes).toEqual([]);
    } finally {
      clearInterval(pace);
      await rig.broker.unmute(`p.${provider}.tasks`);
    }
    await hasty.settled(rig.task);
    expect(rig.outcomes).toEqual(['stuck confirmed', 'later confirmed']);
    expect(hasty.status()).toMatchObject({ muteQueues: 0, dropped: 0, unrouted: 0 });
    hasty.dismiss(provider);
  });
}
