import { describe, expect, test } from '@jest/globals';
import { defaultPolicy } from '../../src/core/policy.ts';
import { ClusterRig, heldOf, idOf, indicesOf, ofType } from './cluster-rig.ts';

const { suspectAfterMs, lostAfterMs } = defaultPolicy;

/** Two nodes; `a` has the two subtasks of the task's leases that matter, `b` has credit left. */
function pair() {
  const rig = new ClusterRig();
  const a = rig.join('a', { credit: 2 });
  const task = rig.echo({ count: 2 });
  const b = rig.join('b', { credit: 8 });
  const orders = rig.ordersOf('a');
  return { rig, a, b, task, orders };
}

describe('a connection that closes', () => {
  test('has its subtasks leased to another node in the same turn', () => {
    const { rig, a, b, orders } = pair();
    const effects = rig.post({ type: 'connection-closed', session: a });
    expect(rig.provider('a')).toMatchObject({ phase: 'suspect', reason: 'connection closed' });
    const copies = ofType(effects, 'send-lease');
    expect(copies.map(({ session }) => session)).toEqual([b, b]);
    expect(copies.flatMap(indicesOf)).toEqual(orders.flatMap(indicesOf));
  });

  test('does not spoil a late result: the first valid one wins and the other is a duplicate', () => {
    const { rig, a, task, orders } = pair();
    rig.post({ type: 'connection-closed', session: a });
    const [copy] = rig.ordersOf('b').filter(({ ranges }) => ranges[0] === orders[0]!.ranges[0]);
    rig.deliver(orders[0]!);
    rig.deliver(copy!);
    expect(rig.state.counters.resultsDuplicate).toBe(1);
    rig.checked(orders[0]!, true);
    expect(rig.provider('a').accepted).toBe(1);
    rig.drain();
    expect(rig.status(task)).toMatchObject({ state: 'done', acceptedTiles: 2 });
    expect([...rig.acceptances(task).values()]).toEqual([1, 1]);
  });

  test('has the copies revoked when the late result is accepted first', () => {
    const { rig, a, b, orders } = pair();
    rig.post({ type: 'connection-closed', session: a });
    const [copy] = rig.ordersOf('b').filter(({ ranges }) => ranges[0] === orders[0]!.ranges[0]);
    expect(ofType(rig.complete(orders[0]!), 'revoke')).toMatchObject([{ session: b, leases: [copy!.lease] }]);
  });

  test('of an earlier session is no news', () => {
    const { rig, a } = pair();
    const session = rig.join('a');
    rig.post({ type: 'connection-closed', session: a });
    expect(rig.provider('a')).toMatchObject({ phase: 'ready', session });
  });

  test('ends in loss, heartbeats or not, and the heartbeat then says that the session is unknown', () => {
    const { rig, a, b } = pair();
    rig.post({ type: 'connection-closed', session: a });
    rig.pass(lostAfterMs, { alive: [a, b] });
    expect(rig.provider('a').phase).toBe('suspect');
    rig.pass(200, { alive: [a, b] });
    expect(rig.provider('a').phase).toBe('lost');
    expect(rig.state.sessions.has(a)).toBe(false);
  });

  test('that comes back with the same session is ready again when it has confirmed', () => {
    const { rig, a } = pair();
    rig.post({ type: 'connection-closed', session: a });
    rig.post({ type: 'provider-ready', session: a, sharesStore: true });
    expect(rig.provider('a').phase).toBe('ready');
  });
});

describe('a provider that registers again', () => {
  test('keeps the leases that it still holds', () => {
    const { rig, a, task, orders } = pair();
    const b = rig.provider('b').session;
    rig.post({ type: 'bye', session: b, handBack: [] });
    rig.post({ type: 'connection-closed', session: a });
    const session = rig.register('a', { credit: 2, held: orders.map(heldOf) });
    expect(ofType(rig.effects, 'reply-registered').at(-1)?.keep).toEqual(orders.map(({ lease }) => lease));
    const effects = rig.post({ type: 'provider-ready', session, sharesStore: true });
    expect(ofType(effects, 'send-lease')).toEqual([]);
    for (const order of orders) rig.complete({ ...order, session });
    expect(rig.status(task)).toMatchObject({ state: 'done' });
    expect(rig.sent(task)).toHaveLength(2);
  });

  test('without having been away keeps them too, and those that it lost are given out again', () => {
    const { rig, orders, task } = pair();
    const before = rig.sent(task).length;
    rig.join('a', { credit: 2, held: [heldOf(orders[0]!)] });
    expect(rig.state.leases.has(orders[0]!.lease)).toBe(true);
    expect(rig.state.leases.has(orders[1]!.lease)).toBe(false);
    const again = rig.sent(task).slice(before);
    expect(again.flatMap(indicesOf)).toEqual(indicesOf(orders[1]!));
  });

  test('keeps a lease whose result is being checked: its bytes may lie with it', () => {
    const { rig, orders } = pair();
    rig.deliver(orders[0]!);
    rig.register('a', { held: orders.map(heldOf) });
    expect(ofType(rig.effects, 'reply-registered').at(-1)?.keep).toEqual(orders.map(({ lease }) => lease));
  });

  test('has a result of its earlier session dropped without harm to the lease that it kept', () => {
    const { rig, orders, task } = pair();
    const session = rig.join('a', { credit: 2, held: orders.map(heldOf) });
    expect(ofType(rig.deliver(orders[0]!), 'discard')).toEqual([]);
    for (const order of orders) rig.complete({ ...order, session });
    expect(rig.status(task).state).toBe('done');
  });

  test.each([
    ['backwards', [1, 0]],
    ['twice the same', [0, 1, 0, 1]],
    ['beyond the task', [0, 2 ** 50]],
    ['nothing', []],
    ['half a range', [0]],
  ])('with held subtasks that are %s is not believed', (_, ranges) => {
    const rig = new ClusterRig({ epoch: 2 });
    const task = rig.echo({ count: 2 });
    const held = [{ task, lease: 2 ** 32 + 5, attempt: 1, ranges }];
    rig.join('b');
    rig.post({ type: 'connection-closed', session: rig.provider('b').session });
    rig.register('a', { held });
    expect(ofType(rig.effects, 'reply-registered').at(-1)?.keep).toEqual([]);
  });

  test('is not believed that it holds what it has failed, so it cannot fail a task alone', () => {
    const rig = new ClusterRig({ epoch: 2 });
    rig.join('b', { credit: 1 });
    const task = rig.echo({ count: 64 });
    const offer = (lease: number): number[] => {
      const held = [{ task, lease, attempt: 1, ranges: [63, 64] }];
      const session = rig.register('a', { credit: 1, held });
      const keep = ofType(rig.effects, 'reply-registered').at(-1)!.keep;
      const error = { code: 'BUG', what: 'no', why: '', fix: '' } as const;
      for (const id of keep) rig.post({ type: 'failed', session, task, lease: id, error });
      return [...keep];
    };
    expect(Array.from({ length: 10 }, (_, lease) => offer(lease)).flat()).toEqual([0]);
    expect(rig.status(task).state).toBe('running');
  });

  test('keeps no more than it has room for, and nothing of a task in which it was found wrong', () => {
    const rig = new ClusterRig({ epoch: 2, policy: { distrustAfter: 1 } });
    rig.join('b', { credit: 1 });
    const task = rig.product({ nodes: 1 });
    const offered = (name: string, credit: number, indices: readonly number[]): readonly number[] => {
      const held = indices.map((index) => ({ task, lease: index, attempt: 1, ranges: [index, index + 1] }));
      rig.register(name, { credit, held });
      return ofType(rig.effects, 'reply-registered').at(-1)!.keep;
    };
    expect(offered('a', 2, [5, 6, 7])).toEqual([5, 6]);
    const c = rig.register('c', { credit: 1, held: [{ task, lease: 4, attempt: 1, ranges: [4, 5] }] });
    rig.complete({ ...rig.sent(task)[0]!, session: c, lease: 4 }, false);
    expect(rig.task(task).tallies.get(idOf('c'))).toMatchObject({ rejected: 1 });
    expect(offered('c', 1, [7])).toEqual([]);
    expect(offered('d', 1, [7])).toEqual([7]);
  });

  test('does not close a lease of another one by offering it', () => {
    const { rig, orders, task } = pair();
    rig.register('b', { held: [heldOf(orders[0]!)] });
    expect(rig.state.closed.has(orders[0]!.lease)).toBe(false);
    for (const order of orders) rig.complete(order);
    expect(rig.status(task).state).toBe('done');
  });

  test('with a lease number that was never given is not believed', () => {
    const rig = new ClusterRig();
    const b = rig.join('b', { credit: 1 });
    const task = rig.echo({ count: 8 });
    rig.register('a', { held: [{ task, lease: rig.state.nextLease + 1, attempt: 1, ranges: [5, 6] }] });
    expect(ofType(rig.effects, 'reply-registered').at(-1)?.keep).toEqual([]);
    rig.post({ type: 'heartbeat', session: b, linkBytesPerMs: 0 });
    rig.drain();
    expect(rig.status(task).state).toBe('done');
  });
});

describe('silence', () => {
  test('makes a node suspect, then lost, and its work goes to another', () => {
    const { rig, b, task } = pair();
    rig.pass(suspectAfterMs, { alive: [b] });
    expect(rig.provider('a').phase).toBe('ready');
    rig.pass(100, { alive: [b] });
    expect(rig.provider('a').phase).toBe('suspect');
    expect(rig.ordersOf('b')).toHaveLength(2);
    rig.pass(lostAfterMs - suspectAfterMs, { alive: [b] });
    expect(rig.provider('a').phase).toBe('lost');
    expect(rig.state.counters.providersLost).toBe(1);
    rig.drain();
    expect(rig.status(task).state).toBe('done');
  });

  test('that ends gives the node its leases back unless another has taken them', () => {
    const rig = new ClusterRig();
    const a = rig.join('a', { credit: 2 });
    const task = rig.echo({ count: 2 });
    const orders = rig.ordersOf('a');
    rig.pass(suspectAfterMs + 100);
    expect(rig.provider('a').phase).toBe('suspect');
    rig.post({ type: 'heartbeat', session: a, linkBytesPerMs: 0 });
    expect(rig.provider('a').phase).toBe('ready');
    expect(rig.sent(task)).toHaveLength(2);
    expect(orders.map(({ lease }) => rig.state.leases.get(lease)?.phase)).toEqual(['open', 'open']);
    rig.drain();
    expect(rig.status(task).state).toBe('done');
  });

  test('of everybody after a frozen tick is ours: nobody is suspect, no lease is late', () => {
    const { rig, a, b, orders } = pair();
    rig.pass(100, { alive: [a, b] });
    rig.nowMs += 60_000;
    const effects = rig.post({ type: 'tick' });
    expect(ofType(effects, 'revoke')).toEqual([]);
    expect([rig.provider('a').phase, rig.provider('b').phase]).toEqual(['ready', 'ready']);
    expect(rig.ordersOf('a')).toEqual(orders);
    rig.pass(suspectAfterMs + 100, { alive: [b] });
    expect(rig.provider('a').phase).toBe('suspect');
  });

  test('of a node that registered and never confirmed makes it lost', () => {
    const rig = new ClusterRig();
    const session = rig.register('a');
    rig.pass(lostAfterMs + 100, { alive: [session] });
    expect(rig.provider('a').phase).toBe('lost');
  });

  test('of ten minutes makes a lost node forgotten', () => {
    const rig = new ClusterRig();
    rig.join('a');
    rig.pass(700_000, { stepMs: 2000 });
    expect(rig.state.providers.size).toBe(0);
  });
});

describe('a provider that says bye', () => {
  test('hands its unfinished leases back and delivers the finished ones', () => {
    const { rig, a, task, orders } = pair();
    const effects = rig.post({ type: 'bye', session: a, handBack: [orders[1]!.lease] });
    expect(rig.provider('a').phase).toBe('leaving');
    expect(ofType(effects, 'send-lease').flatMap(indicesOf)).toEqual(indicesOf(orders[1]!));
    expect(rig.status(task).retries).toBe(0);
    rig.complete(orders[0]!);
    expect(rig.provider('a').accepted).toBe(1);
    rig.post({ type: 'connection-closed', session: a });
    expect(rig.provider('a')).toMatchObject({ phase: 'lost', reason: 'left' });
    rig.drain();
    expect(rig.status(task).state).toBe('done');
  });

  test('twice, because the first answer was lost, is told the same', () => {
    const { rig, a, orders } = pair();
    rig.post({ type: 'bye', session: a, handBack: [orders[0]!.lease] });
    rig.post({ type: 'bye', session: a, handBack: orders.map(({ lease }) => lease) });
    expect(rig.provider('a').leases.size).toBe(0);
  });

  test('gets nothing more', () => {
    const { rig, a } = pair();
    rig.post({ type: 'bye', session: a, handBack: [] });
    const task = rig.echo({ count: 5 });
    expect(rig.sent(task).every(({ session }) => session !== a)).toBe(true);
  });
});

describe('a node that an admin has drained', () => {
  const drain = (rig: ClusterRig, on = true): void =>
    void rig.post({ type: 'drained', provider: rig.provider('a').id, on });

  test('ends what it has, gets nothing new, and stays as long as it is heard', () => {
    const { rig, a, b, task, orders } = pair();
    drain(rig);
    expect(rig.provider('a').phase).toBe('draining');
    expect(rig.ordersOf('a')).toEqual(orders);
    for (const order of orders) rig.complete(order);
    expect([rig.ordersOf('a'), rig.provider('a').accepted]).toEqual([[], orders.length]);
    rig.drain();
    expect(rig.status(task).state).toBe('done');
    rig.pass(10 * lostAfterMs, { alive: [a, b] });
    expect(rig.provider('a')).toMatchObject({ phase: 'draining', reason: 'drained by an admin' });
  });

  test('is so again when it registers again, and when it was cut off', () => {
    const { rig, b } = pair();
    drain(rig);
    rig.join('a');
    expect(rig.provider('a').phase).toBe('draining');
    rig.pass(suspectAfterMs + 100, { alive: [b] });
    expect(rig.provider('a').phase).toBe('suspect');
    rig.post({ type: 'heartbeat', session: rig.provider('a').session, linkBytesPerMs: 0 });
    expect(rig.provider('a').phase).toBe('draining');
    rig.post({ type: 'connection-closed', session: rig.provider('a').session });
    rig.join('a');
    rig.echo({ count: 50 });
    expect([rig.provider('a').phase, rig.ordersOf('a')]).toEqual(['draining', []]);
  });

  test('takes up what it had before it was cut off', () => {
    const { rig, b, orders } = pair();
    rig.post({ type: 'bye', session: b, handBack: [] });
    drain(rig);
    rig.pass(suspectAfterMs + 100);
    rig.post({ type: 'heartbeat', session: rig.provider('a').session, linkBytesPerMs: 0 });
    expect(orders.map(({ lease }) => rig.state.leases.get(lease)?.phase)).toEqual(orders.map(() => 'open'));
  });

  test('before it ever came gets nothing when it comes', () => {
    const rig = new ClusterRig();
    rig.post({ type: 'drained', provider: idOf('a'), on: true });
    rig.join('a');
    const task = rig.echo({ count: 5 }, { waitNodesMs: 1000 });
    rig.pass(2000, { alive: [rig.provider('a').session] });
    expect(rig.status(task).error).toMatchObject({ code: 'NOT_ENOUGH_NODES' });
    expect(rig.status(task).error?.why).toContain('a (draining: drained by an admin)');
  });

  test('gets work again, and tasks that waited for a node, when that is undone', () => {
    const rig = new ClusterRig();
    rig.join('a');
    drain(rig);
    const task = rig.echo({ count: 5 });
    expect(rig.status(task).state).toBe('waiting');
    drain(rig, false);
    expect(rig.provider('a').phase).toBe('ready');
    rig.drain();
    expect(rig.status(task).state).toBe('done');
  });

  test('may leave by itself', () => {
    const { rig, a } = pair();
    drain(rig);
    rig.post({ type: 'bye', session: a, handBack: [] });
    rig.post({ type: 'connection-closed', session: a });
    expect(rig.provider('a')).toMatchObject({ phase: 'lost', reason: 'left' });
  });
});

describe('a node that comes and goes', () => {
  const { breakerBreaks, rest } = defaultPolicy;

  function flap(rig: ClusterRig, times: number): void {
    for (let at = 0; at < times; at++) {
      rig.post({ type: 'connection-closed', session: rig.provider('a').session });
      rig.join('a');
    }
  }

  test('rests when it has broken off too often, gets nothing meanwhile, and works again later', () => {
    const { rig, b } = pair();
    flap(rig, breakerBreaks - 1);
    expect(rig.provider('a').phase).toBe('ready');
    flap(rig, 1);
    expect(rig.provider('a')).toMatchObject({ phase: 'resting', reason: expect.stringContaining('4 times') });
    const given = rig.ordersOf('a').length;
    rig.echo({ count: 50 });
    expect(rig.ordersOf('a')).toHaveLength(given);
    rig.pass(rest.firstMs + 100, { alive: [rig.provider('a').session, b] });
    expect(rig.provider('a').phase).toBe('ready');
    expect(rig.ordersOf('a').length).toBeGreaterThan(given);
  });

  test('does not rest where there is no other', () => {
    const { rig, b } = pair();
    rig.post({ type: 'connection-closed', session: b });
    flap(rig, breakerBreaks + 1);
    expect(rig.provider('a').phase).toBe('ready');
  });

  test('stops resting when the others are gone', () => {
    const { rig, b } = pair();
    flap(rig, breakerBreaks);
    rig.post({ type: 'connection-closed', session: b });
    rig.pass(100, { alive: [rig.provider('a').session] });
    expect(rig.provider('a').phase).toBe('ready');
  });
});
