import { describe, expect, test } from '@jest/globals';
import { taskTypeNamed, type Durability, type SessionId, type TaskId } from '@muster/shared';
import type { LeaseOrder } from '../../src/core/effects.ts';
import type { BackboneView } from '../../src/core/cluster-state.ts';
import { defaultPolicy } from '../../src/core/policy.ts';
import { subtaskState } from '../../src/core/subtask-states.ts';
import { ClusterRig, heldOf, historyOf, idOf, indicesOf, ofType, restarted } from './cluster-rig.ts';

function withBroker(state: BackboneView['state'] = 'up'): ClusterRig {
  const rig = new ClusterRig();
  rig.join('a');
  backbone(rig, state);
  return rig;
}

const backbone = (rig: ClusterRig, state: BackboneView['state'], congested = false) =>
  rig.post({ type: 'backbone', state, congested });

describe('the end of a task', () => {
  test('waits for the broker as long as it is there', () => {
    const rig = withBroker();
    const task = rig.echo({ count: 1 });
    rig.drain();
    expect(ofType(rig.effects, 'await-mirror')).toMatchObject([{ task }]);
    expect(rig.status(task).state).toBe('running');
    rig.post({ type: 'mirrored', task, lost: 0 });
    expect(rig.status(task)).toMatchObject({ state: 'done', durability: 'mirrored' });
  });

  test('does not wait for a broker that goes, nor for one that never was, and says so', () => {
    const rig = withBroker();
    const going = rig.echo({ count: 1 });
    rig.drain();
    backbone(rig, 'blocked');
    expect(rig.status(going)).toMatchObject({ state: 'done', durability: 'local' });
    const gone = rig.echo({ count: 1 });
    rig.drain();
    expect(rig.status(gone)).toMatchObject({ state: 'done', durability: 'local' });
    backbone(rig, 'off');
    const without = rig.echo({ count: 1 });
    rig.drain();
    expect(rig.status(without)).toMatchObject({ state: 'done', durability: 'local' });
  });

  test('is told as local when messages were lost', () => {
    const rig = withBroker();
    const task = rig.echo({ count: 1 });
    rig.drain();
    rig.post({ type: 'mirrored', task, lost: 2 });
    expect(rig.status(task)).toMatchObject({ state: 'done', durability: 'local' });
  });

  test('of a strict task waits for a broker that is away', () => {
    const rig = withBroker();
    const task = rig.echo({ count: 1 }, { durability: 'strict' });
    rig.drain();
    backbone(rig, 'down');
    expect(rig.status(task).state).toBe('running');
    rig.post({ type: 'mirrored', task, lost: 0 });
    expect(rig.status(task)).toMatchObject({ state: 'done', durability: 'strict' });
  });
});

describe('a task out of the journal that lacks only its end', () => {
  function starting(durability: Durability): { rig: ClusterRig; task: TaskId } {
    const before = withBroker();
    const task = before.echo({ count: 1 }, { durability });
    before.drain();
    const rig = new ClusterRig({ epoch: 2 });
    backbone(rig, 'connecting');
    rig.post({
      type: 'restored',
      history: historyOf(before.effects, task),
      taskType: taskTypeNamed('echo'),
      user: null,
    });
    expect(rig.status(task).state).toBe('running');
    return { rig, task };
  }

  test.each(['mirrored', 'strict'] as const)('is %s when the broker is reached and has all of it', (durability) => {
    const { rig, task } = starting(durability);
    expect(ofType(rig.effects, 'await-mirror')).toMatchObject([{ task }]);
    backbone(rig, 'up');
    expect(rig.status(task).state).toBe('running');
    rig.post({ type: 'mirrored', task, lost: 0 });
    expect(rig.status(task)).toMatchObject({ state: 'done', durability });
  });

  test('is local when the broker is not reached in time', () => {
    const { rig, task } = starting('mirrored');
    rig.post({ type: 'recovered' });
    expect(rig.status(task)).toMatchObject({ state: 'done', durability: 'local' });
    rig.join('a');
    const later = rig.echo({ count: 1 });
    rig.drain();
    expect(rig.status(later)).toMatchObject({ state: 'done', durability: 'local' });
  });
});

describe('work goes out', () => {
  test.each([
    { durability: 'local', state: 'down', congested: true, goes: true },
    { durability: 'mirrored', state: 'up', congested: false, goes: true },
    { durability: 'mirrored', state: 'up', congested: true, goes: false },
    { durability: 'mirrored', state: 'down', congested: true, goes: true },
    { durability: 'mirrored', state: 'blocked', congested: true, goes: true },
    { durability: 'strict', state: 'up', congested: false, goes: true },
    { durability: 'strict', state: 'up', congested: true, goes: false },
    { durability: 'strict', state: 'down', congested: false, goes: false },
  ] as const)('$durability, broker $state, congested $congested: $goes', ({ durability, state, congested, goes }) => {
    const rig = withBroker();
    backbone(rig, state, congested);
    const task = rig.echo({ count: 1 }, { durability });
    expect(rig.sent(task)).toHaveLength(goes ? 1 : 0);
    backbone(rig, 'up');
    expect(rig.sent(task)).toHaveLength(1);
  });
});

describe('a lease of a strict task', () => {
  const twoNodes = (): [ClusterRig, { readonly alive: SessionId[] }] => {
    const rig = withBroker();
    return [rig, { alive: [rig.provider('a').session, rig.join('b')] }];
  };

  test('is not late, and nobody is blamed, as long as the broker has not confirmed it', () => {
    const [rig, alive] = twoNodes();
    const task = rig.echo({ count: 1 }, { durability: 'strict', nodes: 2 });
    backbone(rig, 'down');
    rig.pass(3 * defaultPolicy.deadlineMinMs, alive);
    backbone(rig, 'up');
    rig.pass(1000, alive);
    expect(rig.sent(task)).toHaveLength(1);
    expect(rig.status(task)).toMatchObject({ state: 'running', retries: 0 });
    const [order] = rig.orders.values();
    rig.post({ type: 'lease-sent', lease: order!.lease });
    rig.pass(1000, alive);
    expect(rig.sent(task)).toHaveLength(2);
    expect(ofType(rig.pass(defaultPolicy.deadlineMinMs, alive), 'revoke')).toMatchObject([{ leases: [order!.lease] }]);
  });

  test('is not copied while the copy could not go out', () => {
    const [rig, alive] = twoNodes();
    const task = rig.echo({ count: 1 }, { durability: 'strict', nodes: 2 });
    for (const lease of rig.orders.keys()) rig.post({ type: 'lease-sent', lease });
    backbone(rig, 'down');
    rig.pass(5000, alive);
    expect(rig.sent(task)).toHaveLength(1);
    backbone(rig, 'up');
    rig.pass(100, alive);
    expect(rig.sent(task)).toHaveLength(2);
  });
});

describe('a result by the broker', () => {
  const delivered = (rig: ClusterRig, order: LeaseOrder, ranges = order.ranges) => {
    const { task, lease, attempt, provider } = order;
    return rig.post({
      type: 'delivered',
      provider,
      task,
      lease,
      attempt,
      ranges,
      bytes: 100,
      computeMs: 5,
      fetchMs: 1,
    });
  };

  test('counts where it is the first, and is nothing where it is the second', () => {
    const rig = withBroker();
    const task = rig.echo({ count: 2 }, { durability: 'local' });
    const [first, second] = rig.ordersOf('a') as [LeaseOrder, LeaseOrder];
    expect(ofType(delivered(rig, first), 'check')).toHaveLength(1);
    expect(delivered(rig, first)).toEqual([]);
    rig.deliver(second);
    expect(delivered(rig, second)).toEqual([]);
    rig.checked(first, true);
    rig.checked(second, true);
    expect(delivered(rig, first)).toEqual([]);
    expect(rig.status(task)).toMatchObject({ state: 'done', acceptedTiles: 2 });
    expect([...rig.acceptances(task).values()]).toEqual([1, 1]);
  });

  test('of an earlier life of the head is accepted before its provider is back', () => {
    const before = withBroker('off');
    const task = before.product();
    const [order] = before.ordersOf('a') as [LeaseOrder];
    const rig = restarted(before, task);
    expect(ofType(delivered(rig, order), 'check')).toMatchObject([{ lease: order.lease, indices: indicesOf(order) }]);
    expect(ofType(rig.checked(order, true), 'settle')).toMatchObject([{ session: null, lease: order.lease }]);
    expect([...rig.acceptances(task).keys()]).toEqual(indicesOf(order));
    rig.join('a', { held: [heldOf(order)] });
    expect(rig.ordersOf('a').flatMap(indicesOf)).not.toContain(indicesOf(order)[0]);
  });

  describe('of a lease that its node was told to forget is none: its file may go at any moment', () => {
    test('when it registered', () => {
      const before = withBroker('off');
      const task = before.product();
      const [order] = before.ordersOf('a') as [LeaseOrder];
      const rig = restarted(before, task);
      const rival = { ...heldOf(order), lease: order.lease + 1000 };
      const session = rig.register('b', { held: [rival] });
      rig.register('a', { held: [heldOf(order)] });
      expect(ofType(rig.effects, 'reply-registered').at(-1)?.keep).toEqual([]);
      rig.post({ type: 'bye', session, handBack: [rival.lease] });
      expect(delivered(rig, order)).toEqual([]);
      rig.register('a', { held: [heldOf(order)] });
      expect(ofType(delivered(rig, order), 'check')).toHaveLength(1);
    });

    test('because it was late', () => {
      const rig = withBroker('off');
      rig.product();
      const [order] = rig.ordersOf('a') as [LeaseOrder];
      const alive = [rig.provider('a').session];
      while (rig.orders.has(order.lease)) rig.pass(100, { alive });
      const [index] = indicesOf(order);
      expect(rig.task(order.task).run?.states.at(index!)).toBe(subtaskState.pending);
      expect(delivered(rig, order)).toEqual([]);
    });
  });

  test('of subtasks that are none of the task, or of a node that does not have the lease, is none', () => {
    const rig = withBroker();
    rig.echo({ count: 2 });
    const [order] = rig.ordersOf('a') as [LeaseOrder];
    expect(delivered(rig, { ...order, provider: idOf('b') })).toEqual([]);
    expect(delivered(rig, { ...order, lease: order.lease + 1000 })).toEqual([]);
    expect(delivered(rig, { ...order, lease: 1 }, [0, 99])).toEqual([]);
  });
});

test('blocks are for the broker where a node cannot read the store, once for each task', () => {
  const rig = new ClusterRig();
  rig.join('a', { sharesStore: true });
  rig.product();
  expect(ofType(rig.effects, 'mirror-block')).toEqual([]);
  rig.drain();
  rig.join('b', { sharesStore: false });
  rig.post({ type: 'connection-closed', session: rig.provider('a').session });
  const task = rig.product();
  rig.drain();
  const offered = ofType(rig.effects, 'mirror-block');
  expect(new Set(offered.map(({ block }) => block)).size).toBe(offered.length);
  expect(offered.every((effect) => effect.task === task)).toBe(true);
  expect(offered).toHaveLength(16);
});
