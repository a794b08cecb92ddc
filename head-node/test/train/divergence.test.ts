import { afterEach, describe, expect, test } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { directories, linearSpec, LinearRun, PARAMETERS, ready, savedWeights } from './linear-run.ts';
import type { RunOutcome } from '../../src/train/calls.ts';

afterEach(() => directories.removeAll());

describe('a run that diverges', () => {
  test('fails with the step, and keeps its last good checkpoint', async () => {
    const run = new LinearRun({ spec: linearSpec({ optimizer: 'sgd', learningRate: 1000, epochs: 100 }) });
    const outcome = await run.finish(run.open());
    expect(outcome).toMatchObject({ type: 'failed', error: { code: 'DIVERGED' } });
    const { error, report } = outcome as RunOutcome & { type: 'failed' };
    expect(error.what).toMatch(/diverged at step \d+/);
    expect(error.why).toContain(`checkpoint of step ${report?.checkpointStep} is kept: ${run.checkpointPath}`);
    expect(error.fix).toBe('--lr 100 or --clip-norm 1');
    expect(savedWeights(run.checkpointPath)).toHaveLength(PARAMETERS);
    expect(savedWeights(run.checkpointPath).every(Number.isFinite)).toBe(true);
  });

  test.each([
    ['sgd', { optimizer: 'sgd', learningRate: 40 }],
    ['momentum', { optimizer: 'momentum', learningRate: 40 }],
  ])('with %s and a checkpoint after each step keeps the last from which a step can be made', async (_, options) => {
    const run = new LinearRun({ spec: linearSpec({ ...options, batch: 100, epochs: 200, checkpointEveryMs: 0 }) });
    const { report } = (await run.finish(run.open())) as RunOutcome & { type: 'failed' };
    expect(report!.checkpointStep).toBe(report!.step - 1);
    expect(readdirSync(dirname(run.checkpointPath))).toEqual([basename(run.checkpointPath)]);
    const again = ready(run.restart());
    expect(again.report).toMatchObject({ step: report!.checkpointStep, checkpointStep: report!.checkpointStep });
    expect(await run.round(again)).toMatchObject({ type: 'ready' });
  });

  test('goes back to it also when it was stopped in between', async () => {
    const spec = linearSpec({ optimizer: 'sgd', learningRate: 40, batch: 100, epochs: 200, checkpointEveryMs: 0 });
    const whole = new LinearRun({ spec });
    const { checkpointStep } = ((await whole.finish(whole.open())) as RunOutcome & { type: 'failed' }).report!;
    const run = new LinearRun({ spec });
    await run.finish(run.open(), ({ step }) => step <= checkpointStep);
    const again = ready(run.restart());
    expect(again.report).toMatchObject({ step: checkpointStep + 1, checkpointStep: checkpointStep + 1 });
    expect(await run.finish(again)).toMatchObject({ type: 'failed', report: { checkpointStep } });
  });
});
