import { describe, expect, test } from '@jest/globals';
import { blockIdFor, ClusterRig, ofType, eightTiles, TILES } from './cluster-rig.ts';

describe('a task', () => {
  test('is worked on at once, but not done before the journal has it on disk', () => {
    const rig = new ClusterRig();
    rig.join('a');
    const task = rig.submitOnly('echo', { count: 3, batch: 1 });
    expect(rig.effects.slice(-6).map(({ type }) => type)).toEqual([
      'append',
      'confirm',
      'append',
      'send-lease',
      'send-lease',
      'send-lease',
    ]);
    rig.drain();
    expect(rig.status(task)).toMatchObject({ state: 'running', acceptedTiles: 3 });

    rig.post({ type: 'task-durable', task });
    expect(rig.status(task).state).toBe('done');
  });

  test('that no node is there for is accepted first, then waits', () => {
    const rig = new ClusterRig();
    const task = rig.submitOnly('echo', { count: 3 });
    expect(rig.status(task).state).toBe('accepted');
    rig.post({ type: 'task-durable', task });
    expect(rig.status(task).state).toBe('waiting');
  });

  test('that is submitted again is the same task, confirmed again only when it is on disk', () => {
    const rig = new ClusterRig();
    const task = rig.submitOnly('echo', { count: 3 });
    rig.submitOnly('echo', { count: 3 }, { task });
    expect(ofType(rig.effects, 'confirm')).toHaveLength(1);
    rig.post({ type: 'task-durable', task });
    rig.submitOnly('echo', { count: 3 }, { task });
    expect(ofType(rig.effects, 'confirm')).toHaveLength(2);
    expect(ofType(rig.effects, 'append').filter(({ record }) => record.type === 'task')).toHaveLength(1);
  });

  test('waits for as many nodes as it asked for, then starts', () => {
    const rig = new ClusterRig();
    rig.join('a');
    const task = rig.echo({ count: 4 }, { nodes: 2 });
    expect(rig.status(task).state).toBe('waiting');
    const joining = rig.register('b');
    expect(rig.status(task).state).toBe('waiting');
    rig.post({ type: 'provider-ready', session: joining, sharesStore: true });
    expect(rig.status(task).state).toBe('running');
    rig.drain();
    expect(rig.status(task)).toMatchObject({ state: 'done', acceptedTiles: 4, error: null });
  });

  test('fails with the names of who is ready and who is not when nodes stay away', () => {
    const rig = new ClusterRig();
    const alive = [rig.join('ann'), rig.join('bob')];
    rig.post({ type: 'connection-closed', session: alive[1]! });
    const task = rig.echo({ count: 1 }, { nodes: 2, waitNodesMs: 3000 });
    rig.pass(3000, { alive });
    expect(rig.status(task).state).toBe('waiting');
    rig.pass(100, { alive });
    const { state, error } = rig.status(task);
    expect(state).toBe('failed');
    expect(error).toMatchObject({
      code: 'NOT_ENOUGH_NODES',
      why: 'ready: ann; not ready: bob (suspect: connection closed)',
    });
    expect(error?.fix).toContain('--nodes 1');
  });

  test('leases a tile only when every block that it reads is bound', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 20 });
    const task = rig.submit('matrix_mult', eightTiles);
    for (let block = 0; block < 8; block += 1) rig.bind(task, 'a', block);
    expect(rig.sent(task)).toHaveLength(0);
    rig.bind(task, 'b', 3);
    expect(rig.sent(task)).toMatchObject([{ ranges: [3, 4] }]);
    rig.bind(task, 'b', 3);
    expect(rig.sent(task)).toHaveLength(1);
  });

  test('tells the verifier once when all its operands are there', () => {
    const rig = new ClusterRig();
    rig.join('a');
    const task = rig.product();
    const complete = ofType(rig.effects, 'operands-complete');
    expect(complete).toMatchObject([{ task }]);
    expect(complete[0]?.operands.get('b')).toEqual(Array.from({ length: 8 }, (_, block) => blockIdFor('b', block)));
  });

  test('may be bound before nodes are there', () => {
    const rig = new ClusterRig();
    const task = rig.product();
    rig.join('a');
    rig.drain();
    expect(rig.status(task)).toMatchObject({ state: 'done', tiles: TILES, acceptedTiles: TILES });
    expect(ofType(rig.effects, 'operands-complete')).toHaveLength(1);
  });

  test('that is cancelled revokes its leases and frees their credit in the same turn', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 4 });
    const first = rig.echo({ count: 100 });
    expect(rig.ordersOf('a')).toHaveLength(4);
    const leases = rig.ordersOf('a').map(({ lease }) => lease);
    const second = rig.echo({ count: 100 });
    expect(rig.sent(second)).toHaveLength(0);

    const effects = rig.post({ type: 'cancelled', task: first });
    expect(ofType(effects, 'revoke')).toMatchObject([{ task: first, leases }]);
    expect(ofType(effects, 'ended')).toMatchObject([
      { status: { state: 'cancelled', error: { code: 'TASK_CANCELLED' } } },
    ]);
    expect(ofType(effects, 'send-lease').map(({ task }) => task)).toEqual([second, second, second, second]);
  });

  test('that is cancelled while a result is being checked ignores the verdict', () => {
    const rig = new ClusterRig();
    rig.join('a', { credit: 1 });
    const task = rig.echo({ count: 2 });
    const [order] = rig.ordersOf('a');
    rig.deliver(order!);
    const leases = [...rig.task(task).leases];
    expect(ofType(rig.post({ type: 'cancelled', task }), 'discard').map(({ lease }) => lease)).toEqual(leases);
    rig.checked(order!, true);
    expect(rig.status(task)).toMatchObject({ state: 'cancelled', acceptedTiles: 0 });
  });

  test('ends at its time limit and says how far it came', () => {
    const rig = new ClusterRig();
    const session = rig.join('a', { credit: 1 });
    const task = rig.echo({ count: 3 }, { timeoutMs: 2000 });
    rig.complete(rig.ordersOf('a')[0]!);
    rig.pass(2100, { alive: [session] });
    expect(rig.status(task)).toMatchObject({
      state: 'failed',
      error: { code: 'TIMEOUT', why: '1 of 3 subtasks were done' },
    });
    expect(rig.provider('a').leases.size).toBe(0);
  });

  test('that is done leaves its plan when the journal surely has it, also beside one that failed', () => {
    const rig = new ClusterRig();
    const session = rig.join('a');
    const done = rig.echo({ count: 1 });
    rig.drain();
    const failed = rig.echo({ count: 1 });
    rig.post({ type: 'cancelled', task: failed });
    expect([rig.status(done).state, rig.status(failed).state]).toEqual(['done', 'cancelled']);
    expect(rig.task(done).outcome).not.toBeNull();
    rig.pass(62_000, { alive: [session], stepMs: 2000 });
    expect(rig.task(done).outcome).toBeNull();
  });

  test('is forgotten when its results have outlived their time', () => {
    const rig = new ClusterRig({ policy: { resultTtlMs: 1000 } });
    const session = rig.join('a');
    const task = rig.echo({ count: 1 });
    rig.drain();
    rig.pass(1000, { alive: [session] });
    expect(rig.state.tasks.has(task)).toBe(true);
    const effects = rig.pass(100, { alive: [session] });
    expect(rig.state.tasks.has(task)).toBe(false);
    expect(effects).toMatchObject([
      { type: 'append', record: { type: 'forgotten', task } },
      { type: 'forget', task },
    ]);
  });

  test('tells its status from the tallies of its nodes', () => {
    const rig = new ClusterRig();
    rig.join('a');
    rig.join('b');
    const task = rig.product({ nodes: 2 });
    rig.nowMs += 10;
    rig.drain();
    const status = rig.status(task);
    expect(status).toMatchObject({
      state: 'done',
      shape: [4096, 64, 4096],
      dtype: 'float32',
      wallMs: 10,
      retries: 0,
      rejectedTiles: 0,
    });
    expect(status.nodes.map(({ name, subtasks }) => [name, subtasks])).toEqual([
      ['a', 4],
      ['b', 4],
    ]);
    expect(status.gflops).toBeCloseTo((2 * 4096 * 64 * 4096) / 10 / 1e6);
    expect(status.bytesReceived).toBe(TILES * 100);
  });
});
