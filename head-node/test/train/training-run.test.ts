import { afterEach, describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  EpochOrder,
  parseModel,
  parseSavedProgress,
  readSafetensors,
  writeSafetensors,
  type TrainSpec,
} from '@muster/shared';
import { skipBecause } from '@muster/shared/testkit';
import { incomingBlockName } from '@muster/shared/io';
import {
  COMPUTE_MS,
  askOf,
  directories,
  linearSet,
  linearSpec,
  LinearRun,
  ready,
  savedWeights,
  TASK,
  type LinearRunOptions,
  type Tamper,
} from './linear-run.ts';
import type { RunOutcome } from '../../src/train/calls.ts';

afterEach(() => directories.removeAll());

async function finished(options: LinearRunOptions): Promise<RunOutcome & { type: 'ended' }> {
  const run = new LinearRun(options);
  const outcome = await run.finish(run.open());
  if (outcome.type !== 'ended') throw new Error(`the run is ${JSON.stringify(outcome)}`);
  return outcome;
}

const four = ['one', 'two', 'three', 'four'];

/** SGD with momentum in float64, without shards. */
function reference({ options, trainSamples }: TrainSpec, start: ArrayLike<number>): number[] {
  const weights = Array.from(start);
  const velocity = weights.map(() => 0);
  for (let epoch = 0; epoch < options.epochs; epoch += 1) {
    const { order } = new EpochOrder(options.seed, epoch, trainSamples);
    for (let from = 0; from < trainSamples; from += options.batch) {
      const batch = order.subarray(from, from + options.batch);
      const { gradient } = linearSet.train.sums(batch, weights);
      for (const [at, sum] of gradient.entries()) {
        const next = options.momentum * (velocity[at] ?? 0) + sum / batch.length;
        velocity[at] = next;
        weights[at]! -= options.learningRate * next;
      }
    }
  }
  return weights;
}

const close = (seen: ArrayLike<number>, wanted: ArrayLike<number>): number =>
  Math.max(...Array.from(seen, (value, at) => Math.abs(value - wanted[at]!)));

describe('steps', () => {
  test.each([['sgd'], ['momentum']])('of %s are those of one machine that sees all samples', async (optimizer) => {
    const spec = linearSpec({ optimizer, momentum: optimizer === 'sgd' ? 0 : 0.9, epochs: 5 });
    const run = new LinearRun({ spec, nodes: four });
    const opened = run.open();
    const start = Float32Array.from(run.weights);
    await run.finish(opened);
    expect(close(savedWeights(run.checkpointPath), reference(spec, start))).toBeLessThan(1e-5);
  });

  test('go through each epoch in batches, the last one smaller, and look at the test set after each', async () => {
    const run = new LinearRun({ spec: linearSpec({ epochs: 2 }, { testSamples: 40 }) });
    const outcome = await run.finish(run.open());
    const rounds = run.asks.map(({ kind, step, epoch, from, to }) => `${kind} ${step} ${epoch} [${from}, ${to})`);
    const epochOf = (epoch: number, first: number): string[] => [
      ...[0, 1, 2].map((at) => `gradient ${first + at} ${epoch} [${32 * at}, ${32 * at + 32})`),
      `gradient ${first + 3} ${epoch} [96, 100)`,
      `evaluate ${first + 4} ${epoch} [0, 40)`,
    ];
    expect(rounds).toEqual([...epochOf(0, 0), ...epochOf(1, 4)]);
    expect(outcome).toMatchObject({ type: 'ended', report: { step: 8, steps: 8, epoch: 2, epochs: 2 } });
  });

  test('have the same bits with one, two and four nodes where the run is deterministic', async () => {
    const spec = linearSpec({ deterministic: true, virtualShards: 8, optimizer: 'adam' });
    const hashes = await Promise.all(
      [['one'], ['one', 'two'], four].map(async (nodes) => (await finished({ spec, nodes })).report.weightsSha256),
    );
    expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(hashes).size).toBe(1);
  });

  test('are the mean over the samples of the shards that came', async () => {
    const spec = linearSpec({ optimizer: 'sgd', momentum: 0, deterministic: true, virtualShards: 5 });
    const run = new LinearRun({ spec });
    const opened = ready(run.open());
    const start = Float32Array.from(run.weights);
    const layout = run.layoutOf(opened);
    for (const index of [0, 3]) await run.check(await run.shard(opened, { layout, index }));
    run.fold(opened, [0, 3]);
    const { order } = new EpochOrder(spec.options.seed, 0, spec.trainSamples);
    const samples = [0, 3].flatMap((index) => [...order.subarray(...layout.shards[index]!)]);
    const { gradient } = linearSet.train.sums(samples, start);
    const wanted = start.map((value, at) => value - (0.1 * gradient[at]!) / samples.length);
    expect(close(run.weights, wanted)).toBeLessThan(1e-6);
  });

  test('come to the same where rounds are folded as soon as all shards are there', async () => {
    const spec = linearSpec({ optimizer: 'adam' }, { testSamples: 40 });
    const [early, asked] = [
      await finished({ spec, nodes: four, foldsEarly: true }),
      await finished({ spec, nodes: four }),
    ];
    expect(early.report.weightsSha256).toMatch(/^[0-9a-f]{64}$/);
    const { loss, step, testLoss, audited } = asked.report;
    expect(early.report).toMatchObject({ weightsSha256: asked.report.weightsSha256, loss, step, testLoss, audited });
  });

  test('wait for the shards that are missing', async () => {
    const spec = linearSpec({ optimizer: 'sgd', deterministic: true, virtualShards: 5 });
    const run = new LinearRun({ spec, foldsEarly: true });
    const opened = ready(run.open());
    const layout = run.layoutOf(opened);
    for (const index of [0, 1, 2, 4]) await run.check(await run.shard(opened, { layout, index }));
    const late = await run.check(await run.shard(opened, { layout, index: 3 }));
    expect(late).toMatchObject({ ok: true });
    expect(ready(run.fold(opened, [0, 1, 2, 3, 4])).report.step).toBe(1);
  });

  test('clip the mean gradient', async () => {
    const run = new LinearRun({ spec: linearSpec({ optimizer: 'sgd', clipNorm: 1e-3 }) });
    const opened = ready(run.open());
    const start = Float32Array.from(run.weights);
    await run.round(opened);
    expect(Math.hypot(...run.weights.map((value, at) => value - start[at]!))).toBeCloseTo(1e-4, 6);
  });

  test('of nodes that step alone: the mean of where they come to', async () => {
    const alone = { optimizer: 'sgd', localSteps: 2, batch: 16, outerLearningRate: 1, outerMomentum: 0 };
    const run = new LinearRun({ spec: linearSpec(alone), nodes: ['one', 'two'] });
    const opened = ready(run.open());
    const start = Float32Array.from(run.weights);
    expect(askOf(opened.start)).toMatchObject({ from: 0, to: 32, step: 0 });
    expect(askOf(ready(await run.round(opened)).start)).toMatchObject({ from: 32, to: 64, step: 2 });
    const { order } = new EpochOrder(0, 0, 100);
    const step = (from: number, weights: Float32Array): Float32Array => {
      const { gradient } = linearSet.train.sums(order.subarray(from, from + 8), weights);
      return weights.map((value, at) => value - (0.1 * gradient[at]!) / 8);
    };
    const ends = [0, 16].map((from) => step(from + 8, step(from, start)));
    const wanted = start.map((_, at) => (ends[0]![at]! + ends[1]![at]!) / 2);
    expect(close(run.weights, wanted)).toBeLessThan(1e-6);
  });

  test('with a median are as without the one wrong shard of three', async () => {
    const wild: Tamper = (sums) => ({ ...sums, vector: sums.vector.map(() => 1e6) });
    const spec = linearSpec({ aggregator: 'median', epochs: 20, batch: 50 });
    // Found out at its first shard, were it not for a head that computes nothing again.
    const run = new LinearRun({
      spec,
      nodes: ['one', 'two', 'liar'],
      tampers: { liar: (sums, { step }) => (step > 0 ? wild(sums, run.asks[0]!) : sums) },
    });
    const outcome = await run.finish(run.open());
    expect(outcome).toMatchObject({ type: 'ended', report: { audited: 3, disputed: 0 } });
    expect((outcome as RunOutcome & { type: 'ended' }).report.loss).toBeLessThan(0.05);
  });
});

describe('the report', () => {
  test('has loss, right answers where there are classes, and samples a second', async () => {
    const { report } = await finished({ spec: linearSpec({ epochs: 30 }, { testSamples: 40 }), nodes: four });
    expect(report.loss).toBeLessThan(0.01);
    expect(report.testLoss).toBeLessThan(0.01);
    expect(report).toMatchObject({ trainAccuracy: null, testAccuracy: null, audited: 2, disputed: 0, late: 0 });
    // A round takes 100 ms of this clock.
    expect(report.samplesPerSecond).toBeGreaterThan(40);
    expect(report.samplesPerSecond).toBeLessThanOrEqual(320);
    const { computeMs, transferMs, aggregateMs } = report.split;
    expect(computeMs).toBeCloseTo(COMPUTE_MS, 9);
    expect(computeMs + transferMs + aggregateMs).toBeCloseTo(100, 9);
  });

  test('of nodes that step alone has times of a step, and loss of the latest epoch', async () => {
    const spec = linearSpec({ localSteps: 2, batch: 16, epochs: 5 }, { trainSamples: 96 });
    const run = new LinearRun({ spec });
    const { report } = (await run.finish(run.open())) as RunOutcome & { type: 'ended' };
    const { computeMs, transferMs, aggregateMs } = report.split;
    expect(computeMs).toBeCloseTo(COMPUTE_MS / 2, 9);
    expect(computeMs + transferMs + aggregateMs).toBeCloseTo(50, 9);
    const { latest } = parseSavedProgress(readSafetensors(readFileSync(run.checkpointPath), '').metadata['progress'])!;
    expect(latest.map(({ samples }) => samples)).toEqual([32, 32, 32]);
    expect(report.loss).toBeCloseTo(latest.reduce((sum, { loss }) => sum + loss, 0) / 96, 12);
  });

  test('has no loss before the first step', () => {
    const { report } = ready(new LinearRun({ spec: linearSpec() }).open());
    expect(report).toMatchObject({ step: 0, loss: null, checkpointStep: 0, weightsSha256: '' });
  });
});

describe('checkpoints', () => {
  const spec = linearSpec({ deterministic: true, virtualShards: 4, optimizer: 'adam' }, { testSamples: 40 });

  test('bring a run to the same weights, wherever it was stopped', async () => {
    const whole = await finished({ spec, nodes: ['one', 'two'] });
    for (const stopAt of [1, 3, 4, 5, 9]) {
      const run = new LinearRun({ spec, nodes: ['one', 'two'] });
      const stopped = await run.finish(run.open(), () => run.asks.length <= stopAt);
      run.checkpoint();
      const again = run.restart();
      expect(ready(again).start.round).toBe(ready(stopped).start.round + 1);
      expect(ready(again).start.ask).toEqual(ready(stopped).start.ask);
      const { loss, testLoss, samplesPerSecond } = ready(stopped).report;
      expect(ready(again).report).toMatchObject({ loss, testLoss, samplesPerSecond });
      const { report } = (await run.finish(again)) as RunOutcome & { type: 'ended' };
      expect(report.weightsSha256).toBe(whole.report.weightsSha256);
      expect(report.loss).toBe(whole.report.loss);
    }
  });

  test('of a run with nodes that step alone have what its outer optimizer remembers', async () => {
    const alone = linearSpec({ localSteps: 2, batch: 16, optimizer: 'sgd' });
    const whole = await finished({ spec: alone });
    const run = new LinearRun({ spec: alone });
    await run.finish(run.open(), () => run.asks.length <= 4);
    run.checkpoint();
    expect(await run.finish(run.restart())).toMatchObject({ report: { weightsSha256: whole.report.weightsSha256 } });
  });

  // 100 ms a round, four steps an epoch; a report is of the time before the checkpoint that is due with it.
  test.each([
    { everyMs: 250, when: 'when time is over', steps: [0, 0, 0, 0, 3, 3, 3, 6, 6, 6, 9, 9] },
    { everyMs: 60_000, when: 'after an epoch', steps: [0, 0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8] },
  ])('are written at the start, $when and at the end', async ({ everyMs, steps }) => {
    const run = new LinearRun({ spec: linearSpec({ checkpointEveryMs: everyMs }) });
    const seen: number[] = [];
    let outcome = run.open();
    while (outcome.type === 'ready') {
      seen.push(outcome.report.checkpointStep);
      outcome = await run.round(outcome);
    }
    expect(seen).toEqual(steps);
    expect(outcome).toMatchObject({ type: 'ended', report: { checkpointStep: 12, epoch: 3 } });
    const { metadata } = readSafetensors(readFileSync(run.checkpointPath), '');
    expect(metadata).toMatchObject({ step: '12', epoch: '3', cursor: '0', format: 'muster-checkpoint 1' });
  });

  test('are written when a run is closed, if it got further', async () => {
    const run = new LinearRun({ spec });
    await run.finish(run.open(), ({ step }) => step < 3);
    run.close();
    expect(ready(run.restart())).toMatchObject({ start: { ask: { step: 3 } }, report: { checkpointStep: 3 } });
    writeFileSync(run.checkpointPath, 'of this very step');
    run.close();
    expect(readFileSync(run.checkpointPath, 'utf8')).toBe('of this very step');
  });

  test('of a run that is done end it at once, with the same weights', async () => {
    const run = new LinearRun({ spec });
    const ended = await run.finish(run.open());
    expect(readdirSync(dirname(run.checkpointPath))).toEqual([basename(run.checkpointPath)]);
    expect(run.restart()).toEqual(ended);
  });

  test('that a client gives are begun from, unless there is an own one', async () => {
    const first = new LinearRun({ spec });
    await first.finish(first.open(), ({ epoch }) => epoch < 1);
    first.checkpoint();
    const second = new LinearRun({ spec, checkpointPath: first.checkpointPath });
    const opened = second.open();
    expect(ready(opened).start.ask).toMatchObject({ step: 4, epoch: 1, from: 0 });
    await second.finish(opened, ({ step }) => step < 6);
    second.checkpoint();
    expect(ready(second.restart()).start.ask).toMatchObject({ step: 6 });
  });

  test('of another model, or of another optimizer, are refused', async () => {
    const run = new LinearRun({ spec });
    await run.round(ready(run.open()));
    const model = parseModel({ ...spec.model, name: 'other' });
    const others: TrainSpec[] = [
      { ...spec, model },
      { ...spec, options: { ...spec.options, optimizer: 'momentum' } },
    ];
    for (const other of others) {
      const given = new LinearRun({ spec: other, checkpointPath: run.checkpointPath });
      expect(() => given.open()).toThrow(expect.objectContaining({ code: 'CHECKPOINT_MISMATCH' }));
    }
  });

  test('of other samples are refused, and those that do not say of which are not', async () => {
    const paths = ['/blocks/aa', '/blocks/bb'];
    const run = new LinearRun({ spec, trainPaths: paths });
    await run.round(ready(run.open()));
    const goesOn = (trainPaths: string[]): RunOutcome =>
      new LinearRun({ spec, trainPaths, checkpointPath: run.checkpointPath }).open();
    expect(goesOn(['/elsewhere/aa', '/elsewhere/bb'])).toMatchObject({ type: 'ready' });
    const refusal = { code: 'CHECKPOINT_MISMATCH', why: expect.stringMatching(/^it was made with 100 samples/) };
    expect(() => goesOn(['/blocks/aa', '/blocks/cc'])).toThrow(expect.objectContaining(refusal));
    const { tensors, metadata } = readSafetensors(readFileSync(run.checkpointPath), '');
    const { data: _, ...rest } = metadata;
    writeFileSync(run.checkpointPath, Buffer.concat(writeSafetensors({ tensors, metadata: rest })));
    expect(goesOn(['/blocks/aa', '/blocks/cc'])).toMatchObject({ type: 'ready' });
  });

  test('are not what else lies there', () => {
    const run = new LinearRun({ spec });
    run.open();
    writeFileSync(run.checkpointPath, 'nothing');
    expect(() => run.restart()).toThrow(expect.objectContaining({ code: 'BAD_DATA' }));
  });
});

describe('a round that cannot be folded', () => {
  test('because of a mistake ends the run, which takes no more memory', async () => {
    const run = new LinearRun({ spec: linearSpec() });
    const opened = ready(run.open());
    expect(() => run.fold(opened, [99])).toThrow(expect.objectContaining({ code: 'BUG' }));
    const shard = await run.shard(opened, { layout: run.layoutOf(opened), index: 0 });
    await expect(run.check(shard)).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
  });

  const testOnLinux = process.platform === 'linux' ? test : skipBecause('only Linux has a file that is always full');

  testOnLinux('for want of room is folded when there is some, with one step', async () => {
    const spec = linearSpec({ deterministic: true, virtualShards: 4 });
    const whole = await finished({ spec });
    const run = new LinearRun({ spec });
    const opened = ready(run.open());
    const full = join(run.incomingDirectory, incomingBlockName(TASK, opened.start.round + 1, 'weights'));
    symlinkSync('/dev/full', full);
    await expect(run.round(opened)).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(() => run.fold(opened, [])).toThrow(expect.objectContaining({ code: 'DISK_FULL' }));
    rmSync(full);
    const next = ready(run.fold(opened, []));
    expect(next).toMatchObject({ start: { ask: { step: 1 } }, report: { step: 1 } });
    expect(await run.finish(next)).toMatchObject({ report: { weightsSha256: whole.report.weightsSha256 } });
  });
});

describe('shards', () => {
  async function opened(): Promise<{ run: LinearRun; shard: Awaited<ReturnType<LinearRun['shard']>> }> {
    const run = new LinearRun({ spec: linearSpec() });
    const first = ready(run.open());
    return { run, shard: await run.shard(first, { layout: run.layoutOf(first), index: 0 }) };
  }

  test('that are no result are wrong', async () => {
    const { run, shard } = await opened();
    truncateSync(shard.path, 38);
    expect(await run.check(shard)).toMatchObject({ ok: false, why: expect.stringContaining('6 bytes') });
    writeFileSync(shard.path, Buffer.alloc(48));
    expect(await run.check(shard)).toMatchObject({ ok: false });
  });

  test('that are not there are nobody’s fault', async () => {
    const { run, shard } = await opened();
    rmSync(shard.path);
    await expect(run.check(shard)).rejects.toMatchObject({ code: 'BLOCK_MISSING' });
  });

  test('of a round that is over are given up, and a second copy changes nothing', async () => {
    const { run, shard } = await opened();
    expect(await run.check(shard)).toMatchObject({ ok: true, why: '' });
    expect(await run.check(shard)).toMatchObject({ ok: true, why: '' });
    await run.round(ready(run.restart()));
    await expect(run.check(shard)).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
  });
});
