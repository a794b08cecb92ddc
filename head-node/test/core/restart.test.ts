import { describe, expect, test } from '@jest/globals';
import { taskTypeNamed, type TaskId } from '@muster/shared';
import { ClusterRig, heldOf, historyOf, idOf, indicesOf, ofType, TILES } from './cluster-rig.ts';

/** The next life of the head, with that task out of the journal. */
function restarted(rig: ClusterRig, task: TaskId): ClusterRig {
  const next = new ClusterRig({ epoch: 2 });
  const history = historyOf(rig.effects, task);
  next.post({ type: 'restored', history, taskType: taskTypeNamed(history.record.name) });
  return next;
}

describe('a task out of the journal', () => {
  test('that ended keeps its status', () => {
    const rig = new ClusterRig();
    rig.join('a');
    const task = rig.echo({ count: 3 });
    rig.drain();
    const next = restarted(rig, task);
    expect(next.status(task)).toEqual(rig.status(task));
    next.join('a');
    expect(next.sent(task)).toEqual([]);
  });

  test('that never started waits for its nodes again', () => {
    const rig = new ClusterRig();
    const task = rig.product({ nodes: 2 });
    const next = restarted(rig, task);
    expect(next.status(task).state).toBe('waiting');
    next.join('a');
    next.join('b');
    next.drain();
    expect(next.status(task).state).toBe('done');
  });

  test.each(['echo', 'matrix_mult'])('does only the rest: %s', (type) => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 4 });
    const task = type === 'echo' ? rig.echo({ count: 20, batch: 3 }) : rig.product();
    for (const order of rig.ordersOf('a').slice(0, 3).toReversed()) rig.complete(order);
    const before = rig.status(task).acceptedTiles;
    const done = [...rig.acceptances(task).keys()];

    const next = restarted(rig, task);
    expect(next.status(task)).toMatchObject({ state: 'running', acceptedTiles: before });
    expect(next.status(task).nodes).toMatchObject([{ id: idOf('a'), subtasks: before }]);
    next.join('b');
    next.drain();
    expect(next.status(task).state).toBe('done');
    const leased = next.sent(task).flatMap(indicesOf);
    expect(leased).toHaveLength(next.status(task).tiles - before);
    expect(leased.filter((index) => done.includes(index))).toEqual([]);
  });

  test('whose last subtask was accepted just before the head went down is done', () => {
    const rig = new ClusterRig();
    rig.join('a');
    const task = rig.echo({ count: 2 });
    rig.drain();
    const next = new ClusterRig({ epoch: 2 });
    next.post({
      type: 'restored',
      history: { ...historyOf(rig.effects, task), ended: null },
      taskType: taskTypeNamed('echo'),
    });
    expect(next.status(task)).toMatchObject({ state: 'done', acceptedTiles: 2 });
  });

  test.each(['echo', 'matrix_mult'])('takes up leases that a provider still holds, and leases the rest: %s', (type) => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 2 });
    const task = type === 'echo' ? rig.echo({ count: 20, batch: 3 }) : rig.product();
    rig.complete(rig.ordersOf('a')[0]!);
    const orders = rig.ordersOf('a');

    const next = restarted(rig, task);
    const session = next.register('a', { credit: 2, held: orders.map(heldOf) });
    expect(ofType(next.effects, 'reply-registered')[0]?.keep).toEqual(orders.map(({ lease }) => lease));
    next.post({ type: 'provider-ready', session, sharesStore: true });
    next.join('b');
    for (const order of orders) next.complete({ ...order, session });
    next.drain();
    expect(next.status(task).state).toBe('done');
    const twice = next
      .sent(task)
      .flatMap(indicesOf)
      .filter((index) => orders.flatMap(indicesOf).includes(index));
    expect(twice).toEqual([]);
  });

  test('gives out a held lease whose subtasks somebody else has by now no second time', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 1 });
    const task = rig.echo({ count: 1 });
    const [order] = rig.ordersOf('a');
    const next = restarted(rig, task);
    next.join('b');
    next.register('a', { held: [heldOf(order!)] });
    expect(ofType(next.effects, 'reply-registered').at(-1)?.keep).toEqual([]);
  });

  test('waits for blocks that the store has lost', () => {
    const rig = new ClusterRig();
    rig.join('a');
    const task = rig.product();
    const history = historyOf(rig.effects, task);
    const next = new ClusterRig({ epoch: 2 });
    const bound = history.bound.filter(({ operand, block }) => operand === 'a' || block !== 2);
    next.post({ type: 'restored', history: { ...history, bound }, taskType: taskTypeNamed('matrix_mult') });
    next.join('a');
    next.drain();
    expect(next.status(task)).toMatchObject({ state: 'running', acceptedTiles: TILES - 1 });
    expect(ofType(next.effects, 'operands-complete')).toEqual([]);
    next.bind(task, 'b', 2);
    next.drain();
    expect(next.status(task).state).toBe('done');
  });

  test('lets every member of its new team hear its topic', () => {
    const rig = new ClusterRig();
    rig.join('a');
    const task = rig.product();
    const next = restarted(rig, task);
    const session = next.join('a', { sharesStore: false });
    expect(ofType(next.effects, 'open-task')).toEqual([{ type: 'open-task', session, task }]);
  });
});

test('when results take too much disk, the oldest ended task goes first and running ones stay', () => {
  const rig = new ClusterRig();
  rig.join('a');
  const [oldest, newer] = [rig.echo({ count: 2 }), rig.echo({ count: 2 })];
  rig.drain();
  const running = rig.echo({ count: 2 });
  rig.post({ type: 'results-too-large' });
  expect(ofType(rig.effects, 'forget')).toEqual([{ type: 'forget', task: oldest }]);
  rig.post({ type: 'results-too-large' });
  rig.post({ type: 'results-too-large' });
  expect(ofType(rig.effects, 'forget').map(({ task }) => task)).toEqual([oldest, newer]);
  expect(rig.status(running).state).toBe('running');
});
