import { describe, expect, test } from '@jest/globals';
import { MusterError, toWireError, type SessionId } from '@muster/shared';
import { defaultPolicy } from '../../src/core/policy.ts';
import { ClusterRig, heldOf, indicesOf, ofType, TILES, only } from './cluster-rig.ts';

describe('a result', () => {
  test('is checked, kept, then journalled, announced and settled', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 1 });
    const task = rig.product();
    const order = only(rig.ordersOf('a'));
    expect(ofType(rig.deliver(order), 'check')).toMatchObject([
      { lease: order.lease, indices: [0], region: [0, 4096, 0, 512] },
    ]);
    const effects = rig.checked(order, true);
    expect(effects.slice(0, 4)).toMatchObject([
      { type: 'keep', index: 0, bytes: 100, digest: 'd' },
      { type: 'settle', lease: order.lease },
      { type: 'append', record: { type: 'subtask', task, index: 0, attempt: 1, bytes: 100, digest: 'd' } },
      { type: 'announce', tile: { index: 0, region: [0, 4096, 0, 512] } },
    ]);
  });

  test('that was found right waits for room, and is checked again where its bytes are gone', () => {
    const rig = new ClusterRig();
    const alive = [rig.join('a', { credit: 1 }), rig.join('b', { credit: 8 })];
    const task = rig.product({ nodes: 2 });
    const order = only(rig.ordersOf('a'));
    rig.deliver(order);
    for (const other of rig.ordersOf('b')) rig.complete(other);
    expect(ofType(rig.verdict(order, true), 'settle')).toEqual([]);
    const acceptedTiles = rig.acceptances(task).size;
    expect(ofType(rig.pass(defaultPolicy.deadlineMinMs, { alive }), 'send-lease').flatMap(indicesOf)).not.toContain(0);
    expect(rig.status(task)).toMatchObject({ state: 'running', acceptedTiles });
    const error = toWireError(new MusterError('BLOCK_MISSING', 'a result is not in the store'));
    expect(ofType(rig.post({ type: 'check-failed', lease: order.lease, error }), 'check')).toHaveLength(1);
    rig.checked(order, true);
    expect(rig.acceptances(task).get(0)).toBe(1);
  });

  test('whose task ends before there is room is none', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 1 });
    const task = rig.product();
    const order = only(rig.ordersOf('a'));
    rig.deliver(order);
    rig.verdict(order, true);
    rig.post({ type: 'cancelled', task });
    expect(rig.post({ type: 'kept', lease: order.lease, bytes: 100, digest: 'd' })).toEqual([]);
  });

  test('that comes twice while the first is being checked is a duplicate, and the first keeps its bytes', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 1 });
    const task = rig.product();
    const order = only(rig.ordersOf('a'));
    rig.deliver(order);
    const effects = rig.deliver(order);
    expect(ofType(effects, 'discard')).toEqual([]);
    expect(ofType(effects, 'settle')).toEqual([]);
    expect(rig.state.counters.resultsDuplicate).toBe(1);
    rig.checked(order, true);
    expect(rig.status(task).acceptedTiles).toBe(1);
  });

  test('whose bytes are not there is done again as often as need be, and its provider forgets it', () => {
    const rig = new ClusterRig();
    const session = rig.join('a', { credit: 1 });
    const task = rig.product();
    for (let time = 0; time <= defaultPolicy.failTimes; time += 1) {
      const { lease } = only(rig.ordersOf('a'));
      const effects = rig.post({ type: 'bytes-missing', session, task, lease });
      expect(ofType(effects, 'revoke')).toMatchObject([{ session, task, leases: [lease] }]);
    }
    rig.drain();
    expect(rig.status(task)).toMatchObject({ state: 'done', rejectedTiles: 0 });
  });

  test('stays wanted while it is being checked: its node, registering again, keeps the bytes until it is settled', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 1 });
    const task = rig.product();
    const order = only(rig.ordersOf('a'));
    rig.deliver(order);
    const before = rig.effects.length;
    const session = rig.join('a', { credit: 1, held: [heldOf(order)] });
    expect(ofType(rig.effects.slice(before), 'reply-registered')).toMatchObject([{ keep: [order.lease] }]);
    expect(ofType(rig.deliver({ ...order, session }), 'check')).toEqual([]);
    expect(ofType(rig.checked(order, true), 'settle')).toMatchObject([{ session, lease: order.lease }]);
    expect(rig.status(task).acceptedTiles).toBe(1);
  });

  test('that comes again after it was accepted is stale and settled again', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 1 });
    const task = rig.product();
    const order = only(rig.ordersOf('a'));
    rig.complete(order);
    expect(rig.deliver(order).slice(0, 2)).toMatchObject([{ type: 'discard' }, { type: 'settle' }]);
    expect(rig.state.counters.resultsStale).toBe(1);
    expect(rig.status(task).acceptedTiles).toBe(1);
  });

  test('of a lease that another node holds is not believed, and does not touch the bytes of the holder', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 1 });
    const session = rig.join('b', { credit: 1 });
    const task = rig.echo({ count: 1 });
    const order = only([...rig.orders.values()]);
    const stranger = order.session === session ? rig.provider('a').session : session;
    expect(ofType(rig.deliver({ ...order, session: stranger }), 'discard')).toEqual([]);
    expect(rig.state.counters.resultsStale).toBe(1);
    rig.complete(order);
    expect(rig.status(task).state).toBe('done');
  });
});

describe('a failed subtask', () => {
  /** So that no copy comes between failures. */
  const policy = { speculateAfterMs: 3_600_000 };

  test('is tried again on another node after its back-off', () => {
    const rig = new ClusterRig({ policy });
    const alive = [rig.join('a', { credit: 1 }), rig.join('b', { credit: 1 })];
    const task = rig.echo({ count: 2 }, { nodes: 2 });
    const order = only(rig.ordersOf('a'));
    rig.complete(only(rig.ordersOf('b')));
    rig.fail(order);
    expect(rig.orders.size).toBe(0);
    rig.pass(defaultPolicy.retry.firstMs, { alive });
    const retry = only(rig.ordersOf('b'));
    expect(retry.ranges).toEqual(order.ranges);
    expect(rig.state.leases.get(retry.lease)?.attempt).toBe(2);
    rig.complete(retry);
    expect(rig.status(task)).toMatchObject({ state: 'done', retries: 1 });
  });

  test('fails its task with the cause after three different nodes', () => {
    const rig = new ClusterRig({ policy });
    const alive = ['a', 'b', 'c', 'd'].map((name) => rig.join(name, { credit: 1 }));
    const task = rig.echo({ count: 1 }, { nodes: 4 });
    const nodes: string[] = [];
    for (let failures = 0; failures < 3; failures += 1) {
      const order = only([...rig.orders.values()]);
      nodes.push(rig.state.providers.get(rig.state.leases.get(order.lease)!.provider)!.name);
      rig.fail(order, 'bad operand');
      rig.pass(1000, { alive });
    }
    expect(new Set(nodes).size).toBe(3);
    expect(rig.status(task)).toMatchObject({ state: 'failed', error: { code: 'COMPUTE_FAILED', what: 'bad operand' } });
    for (const node of nodes) expect(rig.status(task).error?.why).toContain(node);
  });

  test('fails its task after as many tries as the policy says where there is one node', () => {
    const rig = new ClusterRig({ policy });
    const alive = [rig.join('a', { credit: 1 })];
    const task = rig.echo({ count: 1 });
    for (let tries = 1; tries <= defaultPolicy.failTimes; tries += 1) {
      expect(rig.status(task).state).toBe('running');
      rig.fail(only(rig.ordersOf('a')));
      rig.pass(10_000, { alive });
    }
    expect(rig.status(task).state).toBe('failed');
  });

  test('goes to a node outside the team when all of the team have failed it', () => {
    const rig = new ClusterRig({ policy });
    const alive = [rig.join('a', { credit: 1 }), rig.join('b', { credit: 1 })];
    const task = rig.echo({ count: 3 }, { nodes: 1 });
    const order = only([...rig.orders.values()]);
    const [member, other] = rig.ordersOf('a').length > 0 ? ['a', 'b'] : ['b', 'a'];
    rig.fail(order);
    rig.pass(200, { alive });
    expect(only(rig.ordersOf(other)).ranges).toEqual(order.ranges);
    rig.complete(only(rig.ordersOf(other)));
    expect(rig.ordersOf(other)).toEqual([]);
    expect(rig.ordersOf(member)).toHaveLength(1);
    rig.drain();
    expect(rig.status(task).state).toBe('done');
  });

  test('is tried by the same node again when the only other one is distrusted', () => {
    const rig = new ClusterRig({ policy });
    const alive = [rig.join('a', { credit: 1 }), rig.join('liar', { credit: 1 })];
    const task = rig.echo({ count: 10 }, { nodes: 2 });
    while (rig.status(task).rejectedTiles < defaultPolicy.distrustAfter)
      rig.complete(only(rig.ordersOf('liar')), false);
    rig.fail(only(rig.ordersOf('a')));
    for (let step = 0; step < 20 && rig.status(task).state === 'running'; step += 1) {
      rig.drain();
      rig.pass(200, { alive });
    }
    expect(rig.status(task)).toMatchObject({ state: 'done', acceptedTiles: 10 });
  });

  test('whose lease never ends is taken back at its deadline', () => {
    const rig = new ClusterRig({ policy });
    const alive = [rig.join('a', { credit: 1 })];
    const task = rig.echo({ count: 1 });
    const { lease } = only(rig.ordersOf('a'));
    const effects = rig.pass(defaultPolicy.deadlineMinMs, { alive });
    expect(ofType(effects, 'revoke')).toMatchObject([{ leases: [lease] }]);
    rig.pass(200, { alive });
    rig.complete(only(rig.ordersOf('a')));
    expect(rig.status(task).state).toBe('done');
  });
});

describe('a deadline', () => {
  const policy = { speculateAfterMs: 3_600_000 };
  const port = (name: string) => ({ name, shape: [3], dtype: 'float32' });
  const inference = { rows: 40, rowsPerBlock: 10, modelBytes: 100, input: port('x'), output: port('y') };
  const { deadlineMinMs, deadlineFactor, firstDeadlineMs } = defaultPolicy;
  /** Of the first lease that the node has now; quick in passing, whatever the time is. */
  function isTakenBackAfter(rig: ClusterRig, ms: number, alive: readonly SessionId[]): boolean {
    const { lease } = rig.ordersOf('a')[0]!;
    const effects = rig.pass(ms, { alive, stepMs: 1000 });
    return ofType(effects, 'revoke').some(({ leases }) => leases.includes(lease));
  }

  test('of the first result of an inference is late, because nobody knows what it takes', () => {
    const rig = new ClusterRig({ policy });
    const alive = [rig.join('a', { credit: 1 })];
    rig.bindAll(rig.submit('infer', inference));
    expect(isTakenBackAfter(rig, firstDeadlineMs - 1000, alive)).toBe(false);
    expect(isTakenBackAfter(rig, 1000, alive)).toBe(true);
  });

  test('of the next follows from what the first took', () => {
    const rig = new ClusterRig({ policy });
    const alive = [rig.join('a', { credit: 1 })];
    rig.bindAll(rig.submit('infer', inference));
    const [first] = rig.ordersOf('a');
    const { session, task, lease } = first!;
    rig.orders.delete(lease);
    rig.post({ type: 'returned', session, task, lease, bytes: 120, computeMs: 10_000, fetchMs: 1 });
    rig.checked(first!, true);
    expect(isTakenBackAfter(rig, deadlineFactor * 10_000 - 1000, alive)).toBe(false);
    expect(isTakenBackAfter(rig, 1000, alive)).toBe(true);
  });

  test('is later by the time that the blocks take on a slow link', () => {
    const rig = new ClusterRig({ policy: { ...policy, slowLinkBytesPerMs: 0.1 } });
    const alive = [rig.join('a', { credit: 1, sharesStore: false })];
    rig.product();
    const blocks = rig.ordersOf('a')[0]!.work as { a: unknown[]; b: unknown[] };
    const fetchMs = ((blocks.a.length + blocks.b.length) * 1000) / 0.1;
    expect(isTakenBackAfter(rig, deadlineMinMs + fetchMs - 1000, alive)).toBe(false);
    expect(isTakenBackAfter(rig, 1000, alive)).toBe(true);
  });
});

test.each([
  { sharesStore: true, state: 'running' },
  { sharesStore: false, state: 'failed' },
])('a disk without room is the fault of its owner: shared $sharesStore, $state', ({ sharesStore, state }) => {
  const rig = new ClusterRig();
  const alive = [rig.join('a', { credit: 1, sharesStore })];
  const task = rig.product();
  for (let time = 0; time < 4 * defaultPolicy.failTimes * TILES && rig.status(task).state === 'running'; time += 1) {
    for (const order of rig.ordersOf('a')) rig.fail(order, 'no room', 'DISK_FULL');
    rig.pass(defaultPolicy.retry.firstMs, { alive });
  }
  expect(rig.status(task).state).toBe(state);
});

describe('a check that comes to no verdict', () => {
  const error = toWireError(new MusterError('BLOCK_MISSING', 'a block is not in the store'));

  test('is made again, and blames nobody', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 1 });
    const task = rig.product();
    const order = only(rig.ordersOf('a'));
    rig.deliver(order);
    const effects = rig.post({ type: 'check-failed', lease: order.lease, error });
    expect(ofType(effects, 'check')).toMatchObject([{ lease: order.lease, returned: { bytes: 100 } }]);
    rig.checked(order, true);
    rig.drain();
    expect(rig.status(task)).toMatchObject({ state: 'done', rejectedTiles: 0, retries: 0 });
    expect(rig.provider('a').rejected).toBe(0);
  });

  test('again and again fails the task with what is wrong', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 1 });
    const task = rig.product();
    const order = only(rig.ordersOf('a'));
    rig.deliver(order);
    for (let time = 0; time < 3; time += 1) rig.post({ type: 'check-failed', lease: order.lease, error });
    expect(rig.status(task)).toMatchObject({ state: 'failed', rejectedTiles: 0, error: { code: 'BLOCK_MISSING' } });
    expect(rig.provider('a').rejected).toBe(0);
  });
});

test('what came of a lease goes when the lease is void, and not while its node may still deliver', () => {
  const rig = new ClusterRig();
  const session = rig.join('a', { credit: 1 });
  rig.product();
  const order = only(rig.ordersOf('a'));
  rig.post({ type: 'connection-closed', session });
  expect(ofType(rig.effects, 'discard')).toEqual([]);
  rig.pass(defaultPolicy.lostAfterMs + 200);
  expect(ofType(rig.effects, 'discard')).toMatchObject([{ lease: order.lease }]);
});
