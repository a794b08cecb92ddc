import { afterEach, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { RunCheckpoints } from '../../src/train/run-checkpoints.ts';
import { RunState } from '../../src/train/run-state.ts';
import { directories, linearSpec } from './linear-run.ts';

afterEach(() => directories.removeAll());

/** Is the next one due at each of these moments, in ms since one began that took 3 s? */
function dueAt(everyMs: number, moments: readonly number[]): boolean[] {
  const spec = linearSpec();
  const times = [0, 0, 3000, ...moments];
  const checkpoints = new RunCheckpoints(join(directories.make(), 'file'), everyMs, {
    nowMs: () => times.shift() ?? 0,
  });
  const checkpoint = new RunState(spec, null).checkpoint({ step: 1, epoch: 0, cursor: 32, data: null });
  checkpoints.write(spec.model, { checkpoint, progress: null });
  return moments.map(() => checkpoints.isDue(false));
}

test('slow ones are written less often, but for a run that wants one after each step', () => {
  expect(dueAt(10_000, [10_000, 29_000, 30_000])).toEqual([false, false, true]);
  expect(dueAt(40_000, [30_000, 40_000])).toEqual([false, true]);
  expect(dueAt(0, [3001])).toEqual([true]);
});
