import { describe, expect, test } from '@jest/globals';
import type { BlockId, RoundStart, TaskId, TrainLayout, TrainRound, TrainWork } from '@muster/shared';
import { trainingReport, trainSpec } from '@muster/shared/testkit';
import { defaultPolicy } from '../../src/core/policy.ts';
import { blockIdFor, ClusterRig, heldOf, idOf, ofType, restarted, type SubmitOptions } from './cluster-rig.ts';

const BATCH = 128;

const report = trainingReport();

const gradient = (step: number): TrainRound => ({
  kind: 'gradient',
  step,
  epoch: 0,
  from: step * BATCH,
  to: (step + 1) * BATCH,
  learningRate: 0.1,
});

const weightsOf = (round: number): BlockId => blockIdFor('e', round);

function startOf(round: number, ask: TrainRound): RoundStart {
  const blocks = [
    { operand: 'model', id: blockIdFor('f', 0), bytes: 100 },
    { operand: 'weights', id: weightsOf(round), bytes: 40 },
  ];
  return { round, blocks, ask };
}

/** A head with a training run whose trainer is played by the test. */
class RunRig extends ClusterRig {
  run(nodes: number, options: object = {}, wish: SubmitOptions = {}): TaskId {
    const task = this.submit('train', trainSpec(options), { nodes, ...wish });
    this.bindAll(task);
    return task;
  }

  ready(task: TaskId, round: number, ask = gradient(round - 1)): void {
    const start = startOf(round, ask);
    this.post({ type: 'round-ready', task, start, report: { ...report, step: ask.step } });
  }

  shards(task: TaskId): TrainLayout['shards'] {
    const { run } = this.task(task);
    return (run!.plan.layout as TrainLayout).shards;
  }

  folds(task: TaskId): { round: number; accepted: readonly number[] }[] {
    return ofType(this.effects, 'fold')
      .filter((effect) => effect.task === task)
      .map(({ round, accepted }) => ({ round, accepted }));
  }
}

describe('a run in rounds', () => {
  test('opens its trainer when the data is there, and leases nothing before the first round', () => {
    const rig = new RunRig();
    rig.join('a');
    const task = rig.submit('train', trainSpec(), { nodes: 1 });
    expect(rig.status(task)).toMatchObject({ state: 'running', training: null });
    rig.bindAll(task);
    expect(ofType(rig.effects, 'operands-complete').map((effect) => effect.task)).toEqual([task]);
    expect(rig.sent(task)).toEqual([]);

    rig.ready(task, 1);
    const [order] = rig.ordersOf('a');
    expect(order?.work).toMatchObject({ kind: 'gradient', weights: weightsOf(1), from: 0, to: BATCH });
  });

  test('is cut by the speed that the nodes have shown, and folded when all shards are accepted', () => {
    const rig = new RunRig();
    rig.join('a');
    rig.join('b', { device: { gflops: { float32: 300, float64: 1, int8: 1 } } });
    const task = rig.run(2);
    rig.ready(task, 1);
    const [first, second] = rig.shards(task);
    expect([first?.[0], second?.[1], first?.[1] === second?.[0]]).toEqual([0, BATCH, true]);
    rig.drain();
    expect(rig.folds(task)).toEqual([{ round: 1, accepted: [0, 1] }]);
    expect(rig.acceptances(task).size).toBe(0);

    rig.ready(task, 2);
    expect(rig.ordersOf('a').map(({ work }) => (work as TrainWork).weights)).toEqual([weightsOf(2)]);
    expect(rig.status(task)).toMatchObject({ tiles: 4, acceptedTiles: 1, training: { step: 1 } });
  });

  test('each node is told of its own shards which came last', () => {
    const rig = new RunRig();
    rig.join('a');
    rig.join('b');
    const task = rig.run(2, { compression: 'topk:1%' });
    rig.ready(task, 1);
    rig.drain();
    rig.ready(task, 2, { ...gradient(1), taken: { [idOf('a')]: 7, [idOf('b')]: 9 } });
    expect(['a', 'b'].map((name) => (rig.ordersOf(name)[0]!.work as TrainWork).taken)).toEqual([7, 9]);
  });

  test('a node that joins has a part in the next round, one that is lost in no other', () => {
    const rig = new RunRig();
    const alive = [rig.join('a')];
    const task = rig.run(3);
    expect(rig.status(task).state).toBe('waiting');
    alive.push(rig.join('b'), rig.join('c'));
    rig.ready(task, 1);
    expect(rig.shards(task)).toHaveLength(3);
    rig.post({ type: 'connection-closed', session: alive[1]! });
    rig.drain();
    expect(rig.folds(task)).toEqual([{ round: 1, accepted: [0, 1, 2] }]);

    rig.ready(task, 2);
    expect(rig.shards(task)).toHaveLength(2);
    rig.drain();
    rig.join('d');
    rig.ready(task, 3);
    expect(rig.shards(task)).toHaveLength(3);
    expect(rig.ordersOf('d')).toHaveLength(1);
  });

  test('a round waits when no node is there, and goes on with the first', () => {
    const rig = new RunRig();
    const session = rig.join('a');
    const task = rig.run(1);
    rig.post({ type: 'connection-closed', session });
    rig.ready(task, 1);
    expect(rig.task(task).rounds?.phase).toBe('waiting');
    rig.join('b');
    expect(rig.ordersOf('b')).toHaveLength(1);
  });

  test('does without a straggler when its quorum is long past, and counts it', () => {
    const rig = new RunRig();
    const alive = [rig.join('a'), rig.join('b')];
    const task = rig.run(2);
    rig.ready(task, 1);
    const [quick] = rig.ordersOf('a');
    const [slow] = rig.ordersOf('b');
    rig.nowMs += 300;
    rig.complete(quick!);
    rig.pass(800, { alive });
    expect(rig.folds(task)).toEqual([]);
    rig.pass(400, { alive });
    expect(rig.folds(task)).toEqual([{ round: 1, accepted: [0] }]);
    expect(rig.orders.has(slow!.lease)).toBe(false);
    expect(rig.status(task).training?.late).toBe(1);

    const effects = rig.deliver(slow!);
    expect(ofType(effects, 'check')).toEqual([]);
    expect(ofType(effects, 'discard')).toHaveLength(1);
  });

  test('has patience with the first shard of a node, which all its data comes before', () => {
    const rig = new RunRig();
    const alive = [rig.join('a', { sharesStore: false })];
    const task = rig.run(1);
    rig.ready(task, 1);
    const { lease } = rig.ordersOf('a')[0]!;
    rig.pass(defaultPolicy.firstDeadlineMs - 1000, { alive, stepMs: 1000 });
    expect(rig.orders.has(lease)).toBe(true);
    rig.drain();
    rig.ready(task, 2);
    const next = rig.ordersOf('a')[0]!.lease;
    rig.pass(defaultPolicy.deadlineMinMs + 1000, { alive, stepMs: 1000 });
    expect(rig.orders.has(next)).toBe(false);
  });

  test('a straggler gets less and less, though nothing of it ever comes in time', () => {
    const rig = new RunRig();
    const alive = [rig.join('a'), rig.join('b')];
    const task = rig.run(2, { localSteps: 4 });
    const share = (round: number): number => {
      rig.ready(task, round, { ...gradient(0), to: 4 * BATCH });
      const [quick] = rig.ordersOf('a');
      rig.nowMs += 50;
      rig.complete(quick!);
      rig.pass(1200, { alive });
      const [, slow] = rig.shards(task);
      return slow![1] - slow![0];
    };
    const shares = Array.from({ length: 6 }, (_, at) => share(at + 1));
    expect(rig.status(task).training?.late).toBe(6);
    expect(shares).toEqual(shares.toSorted((one, other) => other - one));
    expect(shares[5]).toBeLessThan(shares[0]! / 2);
  });

  test('a deterministic run has the same shards for any nodes, and misses none', () => {
    const rig = new RunRig();
    const alive = [rig.join('a'), rig.join('b')];
    const task = rig.run(2, { deterministic: true, virtualShards: 4 });
    rig.ready(task, 1);
    const shards = rig.shards(task);
    expect(shards).toEqual([
      [0, 32],
      [32, 64],
      [64, 96],
      [96, 128],
    ]);
    for (const order of rig.ordersOf('a')) rig.complete(order);
    rig.post({ type: 'connection-closed', session: alive[1]! });
    rig.pass(10_000, { alive: alive.slice(0, 1) });
    expect(rig.folds(task)).toEqual([]);
    rig.drain();
    expect(rig.folds(task)).toEqual([{ round: 1, accepted: [0, 1, 2, 3] }]);
  });

  test('a new first round of a trainer that died makes the running one void', () => {
    const rig = new RunRig();
    rig.join('a');
    const task = rig.run(1);
    rig.ready(task, 1);
    const [before] = rig.ordersOf('a');
    rig.ready(task, 2, gradient(0));
    expect(rig.orders.has(before!.lease)).toBe(false);
    expect(ofType(rig.deliver(before!), 'check')).toEqual([]);
    expect(rig.ordersOf('a').map(({ work }) => (work as TrainWork).weights)).toEqual([weightsOf(2)]);
  });

  test('what was left of a void round is given to nobody, though the next has to wait', () => {
    const rig = new RunRig();
    const session = rig.join('a');
    const task = rig.run(1);
    rig.ready(task, 1);
    rig.pass(8000);
    rig.ready(task, 2, gradient(2));
    expect([rig.task(task).rounds?.phase, rig.ordersOf('a')]).toEqual(['waiting', []]);
    rig.post({ type: 'heartbeat', session, linkBytesPerMs: 0 });
    expect(rig.ordersOf('a')).toEqual([]);
    rig.pass(100, { alive: [session] });
    expect(rig.ordersOf('a').map(({ work }) => (work as TrainWork).step)).toEqual([2]);
  });

  test('forgets which node has the weights of the round before', () => {
    const rig = new RunRig();
    rig.join('a');
    const task = rig.run(1);
    rig.ready(task, 1);
    rig.drain();
    const held = rig.provider('a').holds.size;
    rig.ready(task, 2);
    rig.drain();
    expect(rig.provider('a').holds.has(weightsOf(1))).toBe(false);
    expect(rig.provider('a').holds.size).toBeLessThanOrEqual(held + 2);
  });

  test('a liar gets nothing of later rounds, as long as there are others', () => {
    const rig = new RunRig({ policy: { distrustAfter: 1 } });
    rig.join('a');
    rig.join('b');
    const task = rig.run(2);
    rig.ready(task, 1);
    rig.complete(rig.ordersOf('b')[0]!, false);
    rig.drain();
    rig.ready(task, 2);
    expect(rig.ordersOf('b')).toEqual([]);
    expect(rig.shards(task)).toHaveLength(1);
  });

  test('ends when the trainer says so, and keeps its checkpoint when it fails', () => {
    const rig = new RunRig();
    rig.join('a');
    const done = rig.run(1);
    rig.ready(done, 1);
    rig.drain();
    rig.post({ type: 'rounds-ended', task: done, report: { ...report, step: 4, weightsSha256: 'ab' } });
    expect(rig.status(done)).toMatchObject({ state: 'done', acceptedTiles: 4, training: { weightsSha256: 'ab' } });

    const failed = rig.run(1);
    rig.ready(failed, 1);
    const error = { code: 'DIVERGED', what: 'the loss is NaN', why: '', fix: '' } as const;
    const effects = rig.post({ type: 'rounds-failed', task: failed, error, report: null });
    expect(rig.status(failed)).toMatchObject({ state: 'failed', error, training: { step: 0 } });
    expect(ofType(effects, 'forget')).toEqual([]);
    expect(rig.ordersOf('a')).toEqual([]);
  });

  test('leaves a checkpoint that is dropped before its time where room is needed, also after a restart', () => {
    const rig = new RunRig();
    rig.join('a');
    const task = rig.run(1);
    rig.ready(task, 1);
    const error = { code: 'DIVERGED', what: 'the loss is NaN', why: '', fix: '' } as const;
    rig.post({ type: 'rounds-failed', task, error, report: { ...report, checkpointBytes: 500 } });
    for (const head of [restarted(rig, task), rig]) {
      const next = head.echo({ count: 1 });
      head.post({ type: 'results-too-large', task: next, excessBytes: 400 });
      expect(ofType(head.effects, 'forget').map((effect) => effect.task)).toEqual([task]);
      expect(head.status(next).error).toBeNull();
    }
  });

  test('begins again with its trainer after a restart; leases of the life before are void', () => {
    const rig = new RunRig();
    rig.join('a');
    const task = rig.run(1);
    rig.ready(task, 1);
    const [before] = rig.ordersOf('a');
    const next = restarted(rig, task);
    expect(next.status(task)).toMatchObject({ state: 'running', training: null });
    expect(ofType(next.effects, 'operands-complete')).toHaveLength(1);
    const session = next.register('a', { held: [heldOf(before!)] });
    expect(ofType(next.effects, 'reply-registered').at(-1)?.keep).toEqual([]);
    next.post({ type: 'provider-ready', session, sharesStore: true });
    next.post({ type: 'round-ready', task, start: startOf(1, gradient(2)), report });
    expect(next.ordersOf('a').map(({ work }) => (work as TrainWork).step)).toEqual([2]);
  });

  test('an evaluation is over the test set, and wants all of it', () => {
    const rig = new RunRig();
    const alive = [rig.join('a'), rig.join('b')];
    const task = rig.run(2);
    rig.ready(task, 1, { ...gradient(4), kind: 'evaluate', from: 0, to: 100 });
    expect(rig.ordersOf('a')[0]?.work).toMatchObject({ kind: 'evaluate', samples: 100, from: 0 });
    rig.complete(rig.ordersOf('a')[0]!);
    rig.pass(3000, { alive });
    expect(rig.folds(task)).toEqual([]);
    rig.drain();
    expect(rig.folds(task)).toHaveLength(1);
  });
});
