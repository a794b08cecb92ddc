import { describe, expect, test } from '@jest/globals';
import { taskTypeNamed, type TaskId } from '@muster/shared';
import { ClusterRig, heldOf, historyOf, idOf, indicesOf, ofType, restarted, TILES } from './cluster-rig.ts';

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
      user: null,
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

  test('takes a lease up with its attempt and the time that it may take', () => {
    const rig = new ClusterRig();
    const alive = [rig.join('a', { credit: 1 })];
    const task = rig.product();
    // At the speed that was measured when the node joined, which is all that a new head knows of it.
    const { expectedMs } = [...rig.state.leases.values()][0]!;
    expect(expectedMs).toBeGreaterThan(0);
    rig.fail(rig.ordersOf('a')[0]!);
    rig.drain();
    rig.pass(1000, { alive });
    const [again] = rig.ordersOf('a');

    const next = restarted(rig, task);
    const session = next.register('a', { held: [heldOf(again!)] });
    expect(next.state.leases.get(again!.lease)).toMatchObject({ attempt: 2, expectedMs });
    expect(next.provider('a').backlogMs).toBe(expectedMs);
    const accepted = ofType(next.complete({ ...again!, session }), 'append').map(({ record }) => record);
    expect(accepted[0]).toMatchObject({ type: 'subtask', attempt: 2 });
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
    next.post({ type: 'restored', history: { ...history, bound }, taskType: taskTypeNamed('matrix_mult'), user: null });
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

describe('age', () => {
  test('of a task, its figures and its time limit outlive the head', () => {
    const rig = new ClusterRig();
    const session = rig.join('a', { credit: 1 });
    const task = rig.product({ timeoutMs: 60_000 });
    rig.pass(10_000, { alive: [session], stepMs: 1000 });
    rig.complete(rig.ordersOf('a')[0]!);
    const before = rig.status(task);

    const next = new ClusterRig({ epoch: 2 });
    // The new process's clock began anew, the wall's went on: five seconds were lost.
    next.state.wallOffsetMs = rig.nowMs + 5000 - next.nowMs;
    next.post({
      type: 'restored',
      history: historyOf(rig.effects, task),
      taskType: taskTypeNamed('matrix_mult'),
      user: null,
    });
    const after = next.status(task);
    expect(after.wallMs).toBe(before.wallMs + 5000);
    expect(after.nodes[0]).toMatchObject({ gflops: before.nodes[0]!.gflops, computeMs: 5, fetchMs: 1 });
    expect(after.gflops).toBeLessThan(before.gflops);
    next.pass(60_000 - after.wallMs);
    expect(next.status(task).state).toBe('running');
    next.pass(1000);
    expect(next.status(task)).toMatchObject({ state: 'failed', error: { code: 'TIMEOUT' } });
  });

  test('of a restart gives nodes time to come back', () => {
    const rig = new ClusterRig();
    const task = rig.echo({ count: 1 }, { waitNodesMs: 5000 });
    const next = new ClusterRig({ epoch: 2 });
    next.state.wallOffsetMs = 100_000;
    next.post({ type: 'restored', history: historyOf(rig.effects, task), taskType: taskTypeNamed('echo'), user: null });
    next.pass(4000);
    next.join('a');
    expect(next.status(task).state).toBe('running');
  });

  test('of ended tasks counts from their end, whatever the order in which they come out of the journal', () => {
    const policy = { resultTtlMs: 100_000 };
    const rig = new ClusterRig({ policy });
    rig.join('a');
    const tasks = [rig.echo({ count: 1 })];
    rig.drain();
    rig.nowMs += 50_000;
    tasks.push(rig.echo({ count: 1 }));
    rig.drain();
    const next = new ClusterRig({ epoch: 2, policy });
    next.state.wallOffsetMs = rig.nowMs - next.nowMs;
    for (const task of tasks.toReversed())
      next.post({
        type: 'restored',
        history: historyOf(rig.effects, task),
        taskType: taskTypeNamed('echo'),
        user: null,
      });
    next.pass(50_100);
    expect([...next.state.tasks.keys()]).toEqual([tasks[1]]);
  });
});

describe('ended tasks', () => {
  test('are so many at most', () => {
    const rig = new ClusterRig({ policy: { endedTasksMax: 2 } });
    rig.join('a');
    const tasks = Array.from({ length: 4 }, () => {
      const task = rig.echo({ count: 1 });
      rig.drain();
      return task;
    });
    expect(ofType(rig.effects, 'forget').map(({ task }) => task)).toEqual(tasks.slice(0, 2));
    expect(ofType(rig.effects, 'append').filter(({ record }) => record.type === 'forgotten')).toHaveLength(2);
  });

  test('that failed or were cancelled leave no results', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 1 });
    const task = rig.product();
    rig.complete(rig.ordersOf('a')[0]!);
    expect(ofType(rig.post({ type: 'cancelled', task }), 'forget')).toEqual([{ type: 'forget', task }]);
  });
});

describe('when results take too much disk', () => {
  /** Two products that are done, an echo, and a product that is not done; a tile has 100 bytes. */
  function fullDisk(): { rig: ClusterRig; done: TaskId[]; running: TaskId } {
    const rig = new ClusterRig();
    rig.join('a');
    const done = [];
    for (const submit of [() => rig.product(), () => rig.echo({ count: 2 }), () => rig.product()]) {
      done.push(submit());
      rig.drain();
    }
    return { rig, done, running: rig.product() };
  }

  test('as many ended tasks go as it takes, the oldest first, and none without results', () => {
    const { rig, done, running } = fullDisk();
    rig.post({ type: 'results-too-large', task: running, excessBytes: 100 });
    expect(ofType(rig.effects, 'forget')).toEqual([{ type: 'forget', task: done[0] }]);
    rig.post({ type: 'results-too-large', task: running, excessBytes: 100 });
    expect(ofType(rig.effects, 'forget').map(({ task }) => task)).toEqual([done[0], done[2]]);
    expect(rig.status(running).state).toBe('running');
  });

  test('and no ended task can make enough room, the task that needs it fails', () => {
    const { rig, done, running } = fullDisk();
    rig.post({ type: 'results-too-large', task: running, excessBytes: 100 * 2 * TILES + 1 });
    expect(ofType(rig.effects, 'forget').map(({ task }) => task)).toEqual([done[0], done[2], running]);
    expect(rig.status(running)).toMatchObject({ state: 'failed', error: { code: 'DISK_FULL' } });
  });
});
