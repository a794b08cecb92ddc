import { describe, expect, test } from '@jest/globals';
import { defaultPolicy } from '../../src/core/policy.ts';
import { ClusterRig, indicesOf, ofType, only } from './cluster-rig.ts';

describe('a wrong result', () => {
  test('is counted, thrown away and computed by another node', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 1 });
    rig.join('b', { credit: 1 });
    const task = rig.product({ nodes: 2 });
    const order = only(rig.ordersOf('a'));
    const effects = rig.complete(order, false);
    expect(ofType(effects, 'discard')).toMatchObject([{ lease: order.lease }]);
    expect(ofType(effects, 'settle')).toMatchObject([{ lease: order.lease }]);
    expect(rig.provider('a').rejected).toBe(1);
    rig.drain();
    expect(rig.status(task)).toMatchObject({ state: 'done', rejectedTiles: 1, acceptedTiles: 8, retries: 1 });
    const again = rig.sent(task).filter(({ ranges }) => ranges[0] === order.ranges[0]);
    expect(again.map(({ session }) => session)).toEqual([rig.provider('a').session, rig.provider('b').session]);
  });

  test('of a copy leaves the work to the node that still has the original', () => {
    const rig = new ClusterRig({ policy: { speculateAfterMs: 500 } });
    const alive = [rig.join('a', { credit: 1 }), rig.join('b', { credit: 1 }), rig.join('c', { credit: 1 })];
    const task = rig.echo({ count: 1 }, { nodes: 3 });
    const original = only([...rig.orders.values()]);
    rig.pass(600, { alive });
    const copy = only([...rig.orders.values()].filter(({ lease }) => lease !== original.lease));
    expect(ofType(rig.complete(copy, false), 'send-lease')).toEqual([]);
    rig.complete(original);
    expect(rig.status(task)).toMatchObject({ state: 'done', rejectedTiles: 1 });
  });

  test('makes a node that gives three of them get no more of the task', () => {
    const rig = new ClusterRig();
    rig.join('honest', { credit: 1 });
    rig.join('liar', { credit: 1 });
    const task = rig.echo({ count: 40 }, { nodes: 2 });
    for (let leases = 0; rig.ordersOf('liar').length > 0; leases += 1) {
      // One more is under way when the third is found out.
      expect(leases).toBeLessThanOrEqual(defaultPolicy.distrustAfter);
      rig.complete(only(rig.ordersOf('liar')), false);
    }
    rig.drain();
    expect(rig.status(task)).toMatchObject({ state: 'done', acceptedTiles: 40 });
    expect(rig.provider('honest').accepted).toBe(40);
    const liar = { provider: rig.provider('liar').id, name: 'liar', task, rejected: defaultPolicy.distrustAfter };
    expect(ofType(rig.effects, 'quarantined')).toEqual([{ ...liar, type: 'quarantined' }]);
  });

  test('of the only node there is ends the task', () => {
    const rig = new ClusterRig();
    const alive = [rig.join('liar', { credit: 2 })];
    const task = rig.product();
    for (let step = 0; step < 100 && rig.status(task).state === 'running'; step += 1) {
      for (const order of rig.ordersOf('liar')) rig.complete(order, false);
      rig.pass(100, { alive });
    }
    expect(rig.status(task)).toMatchObject({
      state: 'failed',
      error: { code: 'VERIFICATION_FAILED' },
      acceptedTiles: 0,
    });
  });

  test('in a batch does not touch what another node has delivered of it', () => {
    const rig = new ClusterRig();
    const [a] = [rig.join('a', { credit: 1 })];
    rig.join('b', { credit: 1 });
    const task = rig.echo({ count: 4, batch: 4 }, { nodes: 2 });
    const first = only([...rig.orders.values()]);
    rig.post({ type: 'connection-closed', session: a });
    const second = only([...rig.orders.values()].filter(({ lease }) => lease !== first.lease));
    rig.deliver(first);
    rig.deliver(second);
    expect(indicesOf(first)).toEqual(indicesOf(second));
    expect(rig.state.counters.resultsDuplicate).toBe(1);
    rig.checked(first, false);
    rig.drain();
    expect([...rig.acceptances(task).values()]).toEqual([1, 1, 1, 1]);
    expect(rig.status(task).state).toBe('done');
  });
});
