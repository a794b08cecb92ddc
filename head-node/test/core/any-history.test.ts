import { describe, expect, test } from '@jest/globals';
import type { TaskId } from '@muster/shared';
import * as fc from 'fast-check';
import { stepKinds, UnrulyCluster, type Step } from './unruly-cluster.ts';

const provider = fc.record({ credit: fc.integer({ min: 1, max: 4 }), sharesStore: fc.boolean() });
const task = fc.record({
  count: fc.option(fc.integer({ min: 1, max: 25 })),
  batch: fc.integer({ min: 1, max: 4 }),
  window: fc.option(fc.integer({ min: 1, max: 3 })),
  nodes: fc.integer({ min: 1, max: 3 }),
});
const step: fc.Arbitrary<Step> = fc.record({ do: fc.constantFrom(...stepKinds), who: fc.nat(4), which: fc.nat(63) });
/** Most histories begin with a cluster that works, or nothing much would happen in them. */
const beginning: Step[] = [0, 1, 2].flatMap((who) => [
  { do: 'register', who, which: 0 },
  { do: 'ready', who, which: 0 },
  { do: 'submit', who, which: 0 },
  { do: 'confirm', who, which: 0 },
  ...Array.from({ length: 16 }, (_, which): Step => ({ do: 'bind', who, which })),
]);

const history = fc.record({
  providers: fc.array(provider, { minLength: 1, maxLength: 5 }),
  tasks: fc.array(task, { minLength: 1, maxLength: 3 }),
  begun: fc.boolean(),
  steps: fc.array(step, { minLength: 30, maxLength: 200, size: 'max' }),
  /** How many of the providers stay when the faults are over. */
  good: fc.integer({ min: 1, max: 5 }),
});

const causes = ['COMPUTE_FAILED', 'VERIFICATION_FAILED', 'NOT_ENOUGH_NODES'];

describe('whatever happens to a cluster', () => {
  test('every task ends when the faults do, and every subtask is accepted once', () => {
    fc.assert(
      fc.property(history, ({ providers, tasks, begun, steps, good }) => {
        const cluster = new UnrulyCluster(providers, tasks);
        for (const each of [...(begun ? beginning : []), ...steps]) cluster.take(each);
        cluster.calm(good);
        for (const { taskId, state, tiles, error } of cluster.statuses()) {
          const accepted = cluster.acceptances(taskId as TaskId);
          expect(new Set(accepted).size).toBe(accepted.length);
          if (state === 'done') expect(accepted).toHaveLength(tiles);
          if (state === 'failed') expect(causes).toContain(error?.code);
          if (state === 'cancelled') expect(cluster.wasCancelled(taskId)).toBe(true);
        }
        expect(cluster.rig.state.leases.size).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
