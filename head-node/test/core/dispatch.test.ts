import { describe, expect, test } from '@jest/globals';
import { defaultPolicy } from '../../src/core/policy.ts';
import { ClusterRig, idOf, indicesOf, ofType, TILES } from './cluster-rig.ts';

const slow = { gflops: { float32: 1, float64: 1, int8: 1 } };

describe('dispatch', () => {
  test('never lets a node hold more leases than its credit', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 3 });
    rig.join('b', { credit: 5 });
    rig.echo({ count: 50 }, { nodes: 2 });
    for (let step = 0; step < 50; step += 1) {
      expect([rig.ordersOf('a').length <= 3, rig.ordersOf('b').length <= 5]).toEqual([true, true]);
      const [order] = rig.ordersOf(step % 2 === 0 ? 'a' : 'b');
      if (order !== undefined) rig.complete(order);
    }
  });

  test('lets a slow node hold one lease beyond the one that it computes, and a quick one as many as fill the backlog', () => {
    const rig = new ClusterRig();
    rig.join('slow', { credit: 16, device: slow });
    rig.product();
    expect(rig.ordersOf('slow')).toHaveLength(2);

    const other = new ClusterRig();
    other.join('quick', { credit: 16 });
    other.product();
    const { expectedMs } = [...other.state.leases.values()][0]!;
    expect(other.ordersOf('quick')).toHaveLength(Math.min(TILES, Math.ceil(defaultPolicy.backlogMs / expectedMs)));
  });

  test('leases every subtask once where nothing goes wrong', () => {
    const rig = new ClusterRig();
    for (const name of ['a', 'b', 'c']) rig.join(name);
    const [product, echo] = [rig.product({ nodes: 3 }), rig.echo({ count: 1000, batch: 7 }, { nodes: 3 })];
    rig.drain();
    for (const task of [product, echo]) {
      const { tiles, state, retries } = rig.status(task);
      expect([state, retries]).toEqual(['done', 0]);
      const leased = rig.sent(task).flatMap(indicesOf);
      expect(leased.toSorted((a, b) => a - b)).toEqual(Array.from({ length: tiles }, (_, index) => index));
      expect([...rig.acceptances(task).values()]).toEqual(Array.from({ length: tiles }, () => 1));
    }
    expect(rig.state.leases.size).toBe(0);
  });

  test('gives a node the tiles that were cut for it, and those of others when it has no more of its own', () => {
    const rig = new ClusterRig();
    const task = rig.product({ nodes: 2 });
    rig.join('a', { credit: 1 });
    rig.join('b', { credit: 1 });
    const { homes } = rig.task(task).run!.plan;
    expect(
      rig
        .ordersOf('b')
        .flatMap(indicesOf)
        .map((index) => homes[index]),
    ).toEqual([1]);
    for (let tile = 0; tile < TILES - 1; tile += 1) rig.complete(rig.ordersOf('a')[0]!);
    expect(rig.provider('a').accepted).toBe(TILES - 1);
    expect(rig.ordersOf('b')).toHaveLength(1);
  });

  test('keeps the tiles of every node in its own line when the plan leaves a node without work', () => {
    const rig = new ClusterRig();
    const task = rig.product({ nodes: 3 });
    rig.join('a', { credit: 1, device: { gflops: { float32: 0.001, float64: 1, int8: 1 } } });
    rig.join('b', { credit: 1 });
    rig.join('c', { credit: 1 });
    const { homes } = rig.task(task).run!.plan;
    for (const [position, name] of [
      [1, 'b'],
      [2, 'c'],
    ] as const) {
      expect(
        rig
          .ordersOf(name)
          .flatMap(indicesOf)
          .map((index) => homes[index]),
      ).toEqual([position]);
    }
  });

  test('serves two tasks in turn, so that both make progress', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 4 });
    const tasks = [rig.echo({ count: 40 }), rig.echo({ count: 40 })];
    for (let step = 0; step < 40; step += 1) rig.complete(rig.ordersOf('a')[0]!);
    const accepted = tasks.map((task) => rig.status(task).acceptedTiles);
    expect(accepted[0]! + accepted[1]!).toBe(40);
    for (const count of accepted) expect(count).toBeGreaterThanOrEqual(16);
  });

  test('keeps to the window of a task', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 16 });
    rig.echo({ count: 40, window: 2 });
    expect(rig.ordersOf('a')).toHaveLength(2);
    rig.complete(rig.ordersOf('a')[0]!);
    expect(rig.ordersOf('a')).toHaveLength(2);
  });

  test('uses no more nodes than were asked for', () => {
    const rig = new ClusterRig();
    for (const name of ['a', 'b', 'c']) rig.join(name);
    const task = rig.echo({ count: 100 }, { nodes: 2 });
    rig.drain();
    expect(rig.status(task).nodes).toHaveLength(2);
  });

  test('calls a replacement when a member of the team is gone, and lets it hear the topic of the task', () => {
    const rig = new ClusterRig();
    const [a] = [rig.join('a', { sharesStore: false })];
    rig.join('b', { sharesStore: false });
    const task = rig.product();
    const [member, spare] = rig.ordersOf('a').length > 0 ? ['a', 'b'] : ['b', 'a'];
    expect(member).toBe('a');
    const effects = rig.post({ type: 'connection-closed', session: a });
    expect(rig.ordersOf(spare).length).toBeGreaterThan(0);
    expect(ofType(effects, 'open-task')).toMatchObject([{ session: rig.provider(spare).session, task }]);
    rig.drain();
    expect(rig.status(task).state).toBe('done');
  });

  test('sends a block that several nodes need once, on the topic of the task', () => {
    const rig = new ClusterRig();
    rig.join('a', { sharesStore: false });
    rig.join('b', { sharesStore: false });
    const task = rig.product({ nodes: 2 });
    rig.drain();
    // Cut by columns: both nodes read all of A, each block of B is read by one.
    expect(ofType(rig.effects, 'share-block')).toHaveLength(8);
    expect(rig.status(task).bytesSent).toBe((8 + 8) * 1000);
  });

  test('puts a lease that did not reach the wire back, and does not try again before its back-off', () => {
    const rig = new ClusterRig();
    const session = rig.join('a', { credit: 1 });
    const task = rig.echo({ count: 1 });
    const [order] = rig.ordersOf('a');
    const effects = rig.post({ type: 'lease-undelivered', lease: order!.lease });
    expect(ofType(effects, 'send-lease')).toEqual([]);
    rig.pass(100, { alive: [session] });
    expect(rig.sent(task)).toHaveLength(2);
  });
});

describe('an echo of a million subtasks', () => {
  test('keeps one byte for each and completes', () => {
    const rig = new ClusterRig({ watched: false });
    const count = 1_000_000;
    for (const name of ['a', 'b']) rig.join(name, { credit: 16 });
    const task = rig.echo({ count, batch: 4096 }, { nodes: 2 });
    const { run } = rig.task(task);
    expect(run!.states.count).toBe(count);
    expect([run!.absent.size, run!.waiting.size, run!.plan.homes.length]).toEqual([0, 0, 0]);
    expect(run!.pending.size).toBe(count - 2 * 16 * 4096);
    rig.drain();
    expect(rig.status(task)).toMatchObject({ state: 'done', acceptedTiles: count, verifiedTiles: count });
    expect(rig.provider('a').id).toBe(idOf('a'));
  });
});

describe('speculation', () => {
  const policy = { speculateAfterMs: 500 };

  test('copies an overdue lease to an idle node at the end of a task, and revokes the loser', () => {
    const rig = new ClusterRig({ policy });
    const alive = [rig.join('a', { credit: 1 }), rig.join('b', { credit: 1 })];
    const task = rig.echo({ count: 2 }, { nodes: 2 });
    const [late] = rig.ordersOf('a');
    rig.complete(rig.ordersOf('b')[0]!);
    rig.pass(500, { alive });
    expect(rig.sent(task)).toHaveLength(2);
    rig.pass(100, { alive });
    const [copy] = rig.ordersOf('b');
    expect(copy?.ranges).toEqual(late?.ranges);
    expect(rig.state.counters.leasesSpeculative).toBe(1);

    const effects = rig.complete(copy!);
    expect(ofType(effects, 'revoke')).toMatchObject([{ session: alive[0], leases: [late!.lease] }]);
    expect(rig.status(task)).toMatchObject({ state: 'done', retries: 1 });
    expect(rig.provider('a').leases.size).toBe(0);
  });

  test('makes one copy, and the original may still win', () => {
    const rig = new ClusterRig({ policy });
    const alive = ['a', 'b', 'c'].map((name) => rig.join(name, { credit: 1 }));
    const task = rig.echo({ count: 1 }, { nodes: 3 });
    const [late] = [...rig.orders.values()];
    rig.pass(5000, { alive });
    expect(rig.sent(task)).toHaveLength(2);
    rig.complete(late!);
    expect(rig.status(task).state).toBe('done');
    expect(rig.orders.size).toBe(0);
  });

  test('leaves leases alone as long as anything is pending', () => {
    const rig = new ClusterRig({ policy });
    const session = rig.join('a', { credit: 1 });
    rig.join('b', { credit: 1 });
    rig.echo({ count: 5 });
    rig.pass(3000, { alive: [session, rig.provider('b').session] });
    expect(rig.state.counters.leasesSpeculative).toBe(0);
  });

  test('does not copy to a node that is distrusted in the task', () => {
    const rig = new ClusterRig({ policy });
    const alive = [rig.join('a', { credit: 1 }), rig.join('liar', { credit: 1 })];
    const task = rig.echo({ count: 10 }, { nodes: 2 });
    while (rig.ordersOf('liar').length > 0) rig.complete(rig.ordersOf('liar')[0]!, false);
    while (rig.task(task).run!.pending.size > 0) rig.complete(rig.ordersOf('a')[0]!);
    rig.pass(2000, { alive });
    expect(rig.ordersOf('liar')).toEqual([]);
  });
});
