import { afterEach, describe, expect, test } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import type { ShardSums } from '@muster/shared';
import { GAPS_MAX } from '../../src/train/audit.ts';
import type { RunOutcome, ShardVerdict } from '../../src/train/calls.ts';
import { directories, linearSpec, LinearRun, ready, type LinearRunOptions, type Tamper } from './linear-run.ts';

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

test('the first gradient of a node is compared although a test set came before it', async () => {
  const spec = linearSpec({ batch: 100, epochs: 2 }, { testSamples: 40 });
  const run = new LinearRun({ spec, nodes: ['honest'], tampers: { liar: scaled(-1) } });
  const evaluation = ready(await run.round(ready(run.open())));
  const at = { layout: run.layoutOf(evaluation), index: 0 };
  expect(await run.check(await run.shard(evaluation, at, 'liar'))).toMatchObject({ ok: true });
  const next = ready(run.fold(evaluation, [0]));
  const { ok } = await run.check(await run.shard(next, { layout: run.layoutOf(next), index: 0 }, 'liar'));
  expect(ok).toBe(false);
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

describe('with top-k, a later shard', () => {
  const spec = linearSpec({ compression: 'topk:34%', epochs: 25 });
  /** Honest for so many steps. */
  const after =
    (steps: number, lie: Tamper): Tamper =>
    (sums, round) =>
      round.step < steps ? sums : lie(sums, round);

  /** What the head says of each step of a single node; the shards of steps in `lost` never reach it. */
  async function whysOf(
    options: Omit<LinearRunOptions, 'spec'>,
    { steps, lost = [], copies = [], before = () => undefined }: Walk,
  ): Promise<string[]> {
    const run = new LinearRun({ spec, ...options });
    const whys: string[] = [];
    let outcome: RunOutcome = run.open();
    for (let step = 0; step < steps; step += 1) {
      before(run, step);
      const round = ready(outcome);
      const at = { layout: run.layoutOf(round), index: 0 };
      if (lost.includes(step)) await run.shard(round, at);
      // What is lost or refused is computed by somebody else.
      else whys[step] = (await run.check(await run.shard(round, at))).why;
      if (copies.includes(step)) await run.shard(round, at);
      if (whys[step] !== '') await run.check(await run.shard(round, at, 'other'));
      outcome = run.fold(round, [0]);
    }
    return whys;
  }

  interface Walk {
    readonly steps: number;
    readonly lost?: readonly number[];
    /** The node makes a shard of somebody else besides, which is not awaited any more. */
    readonly copies?: readonly number[];
    readonly before?: (run: LinearRun, step: number) => void;
  }

  const refusedSteps = (whys: readonly string[]): number[] => [...whys.keys()].filter((step) => !!whys[step]);

  test.each([
    ['the signs flipped', lies['the signs flipped']!],
    ['nothing computed', scaled(0)],
    ['twice as much', scaled(2)],
    ['another vector', lies['another vector']!],
  ])('is refused with %s, although something was left before', async (_what, lie) => {
    const whys = await whysOf({ auditShare: 1, tampers: { one: after(8, lie) } }, { steps: 12 });
    expect(refusedSteps(whys)[0]).toBe(8);
    expect(whys[8]).toMatch(/^its vector is \d\S* away from one of norm \d/);
  });

  test('is compared although the one before it did not come', async () => {
    const tampers = { one: after(8, scaled(-1)) };
    expect(refusedSteps(await whysOf({ auditShare: 1, tampers }, { steps: 10, lost: [7] }))).toEqual([8, 9]);
    expect(refusedSteps(await whysOf({ auditShare: 1, tampers }, { steps: 10, copies: [7] }))).toEqual([8, 9]);
  });

  test('of a node that was found wrong is refused whatever else it was making', async () => {
    const tampers = { one: scaled(-1) };
    expect(refusedSteps(await whysOf({ tampers }, { steps: 3, copies: [0] }))).toEqual([0, 1, 2]);
    expect(refusedSteps(await whysOf({ tampers }, { steps: 3, lost: [0] }))).toEqual([1, 2]);
  });

  test('of an honest node passes whichever shards were lost', async () => {
    const whys = await whysOf({ auditShare: 1 }, { steps: 30, lost: [0, 3, 7, 8, 15], copies: [2, 3, 9, 20] });
    expect(refusedSteps(whys)).toEqual([]);
  });

  describe('and second of its round, after one that did not come', () => {
    /** What the head says of that one, and of the first of the round after it. */
    async function whysAfterLost(options: Omit<LinearRunOptions, 'spec'>, steps: number): Promise<string[]> {
      const run = new LinearRun({ spec, auditShare: 1, ...options });
      const round = ready(await run.finish(run.open(), ({ step }) => step < steps));
      const at = { layout: run.layoutOf(round), index: 0 };
      await run.shard(round, at);
      const { why } = await run.check(await run.shard(round, at));
      if (why !== '') await run.check(await run.shard(round, at, 'other'));
      const next = ready(run.fold(round, [0]));
      return [why, (await run.check(await run.shard(next, { layout: run.layoutOf(next), index: 0 }))).why];
    }

    test('passes where it is honest, and so does the next', async () => {
      expect(await whysAfterLost({}, 0)).toEqual(['', '']);
      expect(await whysAfterLost({}, 5)).toEqual(['', '']);
    });

    test('is compared where nothing came before; else only the next is', async () => {
      const wrong = expect.stringContaining('its vector is');
      expect(await whysAfterLost({ tampers: { one: scaled(-1) } }, 0)).toEqual([wrong, wrong]);
      expect(await whysAfterLost({ tampers: { one: after(5, scaled(-1)) } }, 5)).toEqual(['', wrong]);
    });
  });

  test('of a node that lost what it kept is compared as a first one', async () => {
    const before = (run: LinearRun, step: number): void => (step === 8 ? run.restartNode('one') : undefined);
    expect(refusedSteps(await whysOf({ auditShare: 1 }, { steps: 20, before }))).toEqual([]);
    const whys = await whysOf({ auditShare: 1, tampers: { one: after(8, scaled(1.1)) } }, { steps: 9, before });
    expect(refusedSteps(whys)).toEqual([8]);
  });

  test('that always follows one that did not come is refused in the end, and only of a node that was to be looked at', async () => {
    const claims = { one: (latest: number): number => (latest === 0 ? 0 : latest + 1000) };
    const whys = await whysOf({ claims, auditShare: 1 }, { steps: GAPS_MAX + 3 });
    expect(refusedSteps(whys)).toEqual([GAPS_MAX + 1, GAPS_MAX + 2]);
    expect(whys.at(-1)).toMatch(/^it follows a shard that did not come, and so did more than 10 in a row/);
    expect(refusedSteps(await whysOf({ claims }, { steps: GAPS_MAX + 3 }))).toEqual([]);
  });

  test('of a node that was told of none is refused where it follows one, and so are those after it', async () => {
    const claims = { one: (latest: number): number => 2 * latest + 1 };
    const whys = await whysOf({ claims }, { steps: 3 });
    expect(refusedSteps(whys)).toEqual([0, 1, 2]);
    expect(whys[0]).toBe('it follows a shard that did not come, of a node that was told to begin anew');
  });
});

test('a shard that carries something where nothing is kept is refused', async () => {
  for (const compression of ['none', 'bf16']) {
    const run = new LinearRun({ spec: linearSpec({ compression }) });
    const opened = ready(run.open());
    const shard = await run.shard(opened, { layout: run.layoutOf(opened), index: 0 });
    const bytes = readFileSync(shard.path);
    bytes.writeUInt32LE(3, 16);
    writeFileSync(shard.path, bytes);
    const { ok, why } = await run.check(shard);
    expect([ok, why]).toEqual([false, expect.stringContaining('it carries what shard 3 left, and nothing is kept')]);
  }
});
