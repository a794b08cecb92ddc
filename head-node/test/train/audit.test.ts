import { afterEach, describe, expect, test } from '@jest/globals';
import type { ShardSums } from '@muster/shared';
import type { RunOutcome, ShardVerdict } from '../../src/train/calls.ts';
import { directories, linearSpec, LinearRun, ready, type Tamper } from './linear-run.ts';

afterEach(() => directories.removeAll());

const scaled =
  (factor: number): Tamper =>
  (sums) => ({ ...sums, vector: sums.vector.map((value) => value * factor) });

const lies: Record<string, Tamper> = {
  'the signs flipped': scaled(-1),
  'nothing computed': scaled(0),
  'a tenth too much': scaled(1.1),
  'another vector': (sums) => ({ ...sums, vector: sums.vector.toReversed() }),
  'a loss that is too good': (sums) => ({ ...sums, loss: sums.loss * 0.9 }),
  'more right answers': (sums) => ({ ...sums, correct: sums.samples }),
  'a NaN': (sums) => ({ ...sums, vector: sums.vector.fill(Number.NaN, 2, 3) }),
  'an infinite loss': (sums) => ({ ...sums, loss: Infinity }),
};

/** The verdict on the first shard of a liar. */
async function verdictOn(tamper: Tamper, options: Record<string, unknown> = {}): Promise<ShardVerdict> {
  const run = new LinearRun({ spec: linearSpec(options), nodes: ['honest', 'liar'], tampers: { liar: tamper } });
  const opened = ready(run.open());
  return run.check(await run.shard(opened, { layout: run.layoutOf(opened), index: 1 }));
}

describe('the first shard of a node', () => {
  test.each(Object.entries(lies))('is refused with %s', async (_what, tamper) => {
    const { ok, why } = await verdictOn(tamper);
    expect(ok).toBe(false);
    expect(why).not.toBe('');
  });

  test('is refused with figures', async () => {
    const { why } = await verdictOn(scaled(-1));
    expect(why).toMatch(/^its vector is \d\S* away from one of norm \d\S*, allowed is 0\.\d+/);
  });

  test.each([['bf16'], ['int8'], ['topk:50%']])('is compared as far as %s is exact', async (compression) => {
    const honest: Tamper = (sums) => sums;
    expect(await verdictOn(honest, { compression })).toMatchObject({ ok: true });
    expect(await verdictOn(scaled(-1), { compression })).toMatchObject({ ok: false });
    expect(await verdictOn(scaled(0), { compression })).toMatchObject({ ok: false });
  });

  test('of a test set is compared as well', async () => {
    const spec = linearSpec({ batch: 100, epochs: 1 }, { testSamples: 40 });
    const better: Tamper = (sums, { kind }) => (kind === 'evaluate' ? { ...sums, loss: sums.loss / 2 } : sums);
    const run = new LinearRun({ spec, auditShare: 1, tampers: { one: better } });
    const evaluation = ready(await run.round(ready(run.open())));
    const { ok, why } = await run.check(await run.shard(evaluation, { layout: run.layoutOf(evaluation), index: 0 }));
    expect(ok).toBe(false);
    expect(why).toMatch(/^its loss is \d\S* a sample, here it is \d/);
  });
});

describe('honest nodes pass every audit', () => {
  test.each([['none'], ['bf16'], ['int8'], ['topk:40%']])('with %s', async (compression) => {
    const spec = linearSpec({ compression, epochs: 12 });
    const run = new LinearRun({ spec, nodes: ['one', 'two'], auditShare: 1 });
    const outcome = await run.finish(run.open());
    expect(outcome).toMatchObject({ type: 'ended', report: { audited: 84, disputed: 0 } });
  });

  test('after a restart, when they may hold what top-k left out', async () => {
    const spec = linearSpec({ compression: 'topk:20%', epochs: 3 });
    const run = new LinearRun({ spec, nodes: ['one', 'two'] });
    await run.finish(run.open(), ({ step }) => step < 4);
    run.checkpoint();
    expect(await run.finish(run.restart())).toMatchObject({ type: 'ended', report: { disputed: 0 } });
  });

  test('and with steps that they make alone', async () => {
    const spec = linearSpec({ localSteps: 2, batch: 16, optimizer: 'sgd' });
    const run = new LinearRun({ spec, nodes: ['one', 'two'], auditShare: 1 });
    expect(await run.finish(run.open())).toMatchObject({ type: 'ended', report: { disputed: 0 } });
  });
});

describe('a node that lies later', () => {
  const late = (sums: ShardSums, step: number): ShardSums =>
    step >= 8 ? lies['the signs flipped']!(sums, never) : sums;
  const never = {} as Parameters<Tamper>[1];

  test('is caught by chance, and from then on at every shard', async () => {
    const spec = linearSpec({ epochs: 25, deterministic: true, virtualShards: 2 });
    const tampers = { liar: ((sums, { step }) => late(sums, step)) satisfies Tamper };
    const run = new LinearRun({ spec, nodes: ['honest', 'liar'], auditShare: 0.1, tampers });
    const refused: number[] = [];
    let outcome: RunOutcome = run.open();
    while (outcome.type === 'ready') {
      const round = outcome;
      const layout = run.layoutOf(round);
      const verdicts: ShardVerdict[] = [];
      for (const index of [0, 1]) verdicts.push(await run.check(await run.shard(round, { layout, index })));
      if (verdicts.some(({ ok }) => !ok)) refused.push(layout.round.step);
      // What was refused is computed by the honest node.
      if (!verdicts[1]?.ok) await run.check(await run.shard(round, { layout, index: 1 }, 'honest'));
      outcome = run.fold(round, [0, 1]);
    }
    const [first = 0] = refused;
    expect(first).toBeGreaterThanOrEqual(8);
    expect(first).toBeLessThan(100);
    expect(refused).toEqual(Array.from({ length: 100 - first }, (_, at) => first + at));
    expect(outcome).toMatchObject({ type: 'ended', report: { disputed: refused.length } });
  });
});
