import { describe, expect, test } from '@jest/globals';
import { isMusterError, taskTypeNamed, type TaskId } from '@muster/shared';
import { accountOf, expectQuota } from '../../src/core/accounts.ts';
import type { Account } from '../../src/core/cluster-state.ts';
import { defaultPolicy, type Quota } from '../../src/core/policy.ts';
import { ClusterRig, eightTiles, historyOf, ofType, type SubmitOptions } from './cluster-rig.ts';

const ANN: SubmitOptions = { user: 'ann' };
const product = taskTypeNamed('matrix_mult');
/** 1 MiB each of A and B, 64 MiB of result. */
const PRODUCT_BYTES = 2 * 4096 * 64 * 4 + 4096 * 4096 * 4;

const rigWith = (quota: Partial<Quota>): ClusterRig =>
  new ClusterRig({ policy: { quota: { ...defaultPolicy.quota, ...quota } } });

const has = ({ state }: ClusterRig, user = 'ann'): Account | undefined => state.accounts.get(user);

/** The code of the refusal, or '' for who is let in. */
function refusalOf({ state }: ClusterRig, user: string | null = 'ann'): string {
  try {
    expectQuota(state, { user, taskType: product, spec: product.parseSpec(eightTiles) });
    return '';
  } catch (error) {
    return isMusterError(error) ? `${error.code} ${error.why}` : String(error);
  }
}

describe('unfinished tasks', () => {
  test('of a user are counted until they end, whatever they end of', () => {
    const rig = rigWith({ tasks: 3 });
    rig.join('a');
    const [first, second] = [rig.echo({ count: 1 }, ANN), rig.product(ANN), rig.echo({ count: 1 }, ANN)];
    expect([has(rig)?.openTasks, refusalOf(rig)]).toEqual([3, 'QUOTA 3 of 3']);
    rig.post({ type: 'cancelled', task: second });
    rig.drain();
    expect([rig.status(first).state, has(rig), refusalOf(rig)]).toEqual(['done', undefined, '']);
  });

  test('that are submitted twice count once', () => {
    const rig = rigWith({});
    const task = rig.echo({ count: 1 }, ANN);
    rig.echo({ count: 1 }, { ...ANN, task });
    expect(has(rig)?.openTasks).toBe(1);
  });

  test('of one user are no other one’s, and nobody counts those of admins', () => {
    const rig = rigWith({ tasks: 1 });
    for (const user of ['ann', null, null]) rig.echo({ count: 1 }, { user });
    expect([refusalOf(rig, 'ann'), refusalOf(rig, 'bob'), refusalOf(rig, null)]).toEqual(['QUOTA 1 of 1', '', '']);
    expect([...rig.state.accounts.keys()]).toEqual(['ann']);
  });
});

describe('bytes on the head', () => {
  test('count from the submission on, and results as long as they are kept', () => {
    const rig = rigWith({});
    rig.join('a');
    rig.product(ANN);
    expect(has(rig)).toMatchObject({ openBytes: PRODUCT_BYTES, keptBytes: 0 });
    rig.drain();
    // The rig's results are 100 bytes a tile.
    expect(has(rig)).toMatchObject({ openTasks: 0, openBytes: 0, keptBytes: 800 });
    rig.pass(defaultPolicy.resultTtlMs + 1000, { stepMs: 60_000 });
    expect(has(rig)).toBeUndefined();
  });

  test('of unfinished tasks leave no room for what would be too much, in three lines', () => {
    const rig = rigWith({ bytes: 2 * PRODUCT_BYTES - 1 });
    expect(refusalOf(rig)).toBe('');
    rig.product(ANN);
    expect(refusalOf(rig)).toMatch(
      /^QUOTA operands and result are 66.0 MiB, your other unfinished tasks have 66.0 MiB of/,
    );
    try {
      expectQuota(rig.state, { user: 'ann', taskType: product, spec: product.parseSpec(eightTiles) });
    } catch (error) {
      expect(isMusterError(error) && [error.message, error.fix]).toEqual([
        expect.stringContaining('more of the disk of the head than is left for you'),
        expect.stringContaining('--max-disk-per-user'),
      ]);
    }
    expect(refusalOf(rig, 'bob')).toBe('');
  });

  test('of one task that are more than one may have at all', () => {
    const rig = rigWith({ bytes: PRODUCT_BYTES - 1 });
    expect(refusalOf(rig)).toBe('QUOTA operands and result are 66.0 MiB, more than 66.0 MiB');
  });

  test('of his ended tasks go for his new one, the oldest first, and nobody else’s', () => {
    const rig = rigWith({ bytes: PRODUCT_BYTES + 1000 });
    rig.join('a');
    const users = ['ann', 'bob', 'ann'];
    const [oldest, others, latest] = users.map((user) => {
      const task = rig.product({ user });
      rig.drain();
      return task;
    });
    expect([has(rig)?.keptBytes, refusalOf(rig)]).toEqual([1600, '']);
    rig.product(ANN);
    expect([oldest, others, latest].map((task) => rig.state.tasks.has(task as TaskId))).toEqual([false, true, true]);
    expect(has(rig)).toMatchObject({ openBytes: PRODUCT_BYTES, keptBytes: 800 });
  });

  test('of a task that failed are free', () => {
    const rig = rigWith({});
    rig.join('a');
    const task = rig.product(ANN);
    rig.complete(rig.ordersOf('a')[0]!);
    rig.post({ type: 'cancelled', task });
    expect(has(rig)).toBeUndefined();
  });
});

describe('leases at a time', () => {
  test('beyond what one user may have wait, while others are served', () => {
    const rig = rigWith({ leases: 2 });
    rig.join('a', { credit: 8 });
    const [anns, bobs] = [rig.echo({ count: 5 }, ANN), rig.echo({ count: 3 }, { user: 'bob' })];
    expect([rig.sent(anns).length, rig.sent(bobs).length]).toEqual([2, 2]);
    const free = rig.echo({ count: 3 });
    expect(rig.sent(free)).toHaveLength(3);
    rig.complete(rig.sent(anns)[0]!);
    expect([rig.sent(anns).length, has(rig)?.openLeases]).toEqual([3, 2]);
    rig.drain();
    expect([anns, bobs, free].map((task) => rig.status(task).state)).toEqual(['done', 'done', 'done']);
  });

  test('are counted over all his tasks', () => {
    const rig = rigWith({ leases: 3 });
    rig.join('a', { credit: 8 });
    const tasks = [rig.echo({ count: 2 }, ANN), rig.echo({ count: 2 }, ANN), rig.echo({ count: 2 }, ANN)];
    expect(tasks.map((task) => rig.sent(task).length)).toEqual([2, 1, 0]);
  });

  test('do not hold up what a lost node had: its leases are free at once', () => {
    const rig = rigWith({ leases: 2 });
    const a = rig.join('a', { credit: 2 });
    rig.join('b', { credit: 2 });
    const task = rig.echo({ count: 2 }, ANN);
    const lost = rig.ordersOf('a').length;
    const before = rig.sent(task).length;
    rig.post({ type: 'connection-closed', session: a });
    expect(rig.sent(task)).toHaveLength(before + lost);
    rig.drain();
    expect(rig.status(task).state).toBe('done');
  });

  test('hold back copies of late ones', () => {
    const rig = rigWith({ leases: 1 });
    const a = rig.join('a', { credit: 1 });
    const task = rig.echo({ count: 1 }, ANN);
    const b = rig.join('b', { credit: 1 });
    rig.pass(60_000, { alive: [a, b] });
    expect(rig.sent(task).length - ofType(rig.effects, 'revoke').length).toBeLessThanOrEqual(1);
    expect(rig.state.counters.leasesSpeculative).toBe(0);
  });
});

test('a head that starts again counts the same', () => {
  const rig = rigWith({});
  rig.join('a');
  const done = rig.product(ANN);
  rig.drain();
  const open = rig.product(ANN);
  rig.complete(rig.ordersOf('a')[0]!);
  const before = { ...has(rig), openLeases: 0 };
  const next = new ClusterRig({ epoch: 2 });
  for (const task of [done, open])
    next.post({ type: 'restored', history: historyOf(rig.effects, task), taskType: product, user: 'ann' });
  expect(has(next)).toEqual(before);
  expect(accountOf(next.state, null)).toBeNull();
});
