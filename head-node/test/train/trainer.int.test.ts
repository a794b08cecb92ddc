import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors, silentLogger, type Logger, type TaskId, type TrainRound } from '@muster/shared';
import { incomingBlockName } from '@muster/shared/io';
import { skipBecause, TemporaryDirectories, waitUntil } from '@muster/shared/testkit';
import type { OpenRun } from '../../src/train/calls.ts';
import type { Trainer } from '../../src/train/index.ts';
import { smallSpec, SmallRun, trainerIn, writeSamples, type Ending, type SmallRunOptions } from './small-run.ts';

/** Each test starts up to four processes. */
jest.setTimeout(60_000);

const directories = new TemporaryDirectories();
const trainers: Trainer[] = [];
const TASK = '0000000000000001' as TaskId;

afterEach(async () => {
  for (const trainer of trainers.splice(0)) await trainer.stop();
  delete process.env['MUSTER_TEST_LIVES_MAX'];
  directories.removeAll();
});

class Place {
  readonly directory = directories.make();
  readonly incomingDirectory = join(this.directory, 'store', 'incoming');

  constructor() {
    mkdirSync(this.incomingDirectory, { recursive: true });
  }

  async trainer(script?: string, logger?: Logger): Promise<Trainer> {
    const directory = join(this.directory, 'training');
    const trainer = await trainerIn({
      directory,
      incomingDirectory: this.incomingDirectory,
      ...(script && { script }),
      ...(logger && { logger }),
    });
    trainers.push(trainer);
    return trainer;
  }

  run(options: Record<string, unknown> = {}): OpenRun {
    return {
      spec: smallSpec(options),
      trainPaths: writeSamples(this.directory, 'train', 120),
      testPaths: writeSamples(this.directory, 'test', 30),
      checkpointPath: null,
    };
  }
}

function begin(place: Place, trainer: Trainer, options: Partial<SmallRunOptions> & { run?: OpenRun } = {}): SmallRun {
  const run = options.run ?? place.run();
  const small = new SmallRun(trainer, run, { directory: place.directory, ...options });
  trainer.open(TASK, run);
  return small;
}

const shaOf = (ending: Ending): string => (ending.type === 'ended' ? ending.report.weightsSha256 : ending.error.what);

async function undisturbed(): Promise<string> {
  const place = new Place();
  return shaOf(await begin(place, await place.trainer()).ending);
}

test('trains a network, and keeps it in a checkpoint', async () => {
  const place = new Place();
  const trainer = await place.trainer();
  const small = begin(place, trainer, { run: place.run({ epochs: 12 }) });
  const ending = await small.ending;
  expect(ending).toMatchObject({ type: 'ended', report: { step: 48, epoch: 12, checkpointStep: 48, disputed: 0 } });
  const { report } = ending as Ending & { type: 'ended' };
  expect(report.testAccuracy).toBeGreaterThan(0.9);
  expect(report.trainAccuracy).toBeGreaterThan(0.8);
  expect(report.audited).toBeGreaterThanOrEqual(1);
  expect(report.samplesPerSecond).toBeGreaterThan(0);
  expect(report.split.aggregateMs).toBeGreaterThan(0);
  const content = readFileSync(trainer.checkpointPath(TASK));
  expect(content).toHaveLength(report.checkpointBytes);
  expect([...readSafetensors(content, '').tensors.keys()]).toContain('layers.0.weight');
  expect(trainer.tasks()).toEqual([TASK]);
});

test('goes on after it was stopped, with the same weights as if it had not been', async () => {
  const place = new Place();
  const first = await place.trainer();
  const stopped = new Promise<void>((resolve) => {
    begin(place, first, { isStopped: ({ round }) => round === 7 && (resolve(), true) });
  });
  await stopped;
  await first.stop();
  const small = begin(place, await place.trainer());
  expect(shaOf(await small.ending)).toBe(await undisturbed());
  expect(small.starts[0]).toMatchObject({ round: 1, ask: { step: 5, epoch: 1 } });
});

describe('when its process dies', () => {
  const child = (name: string): string => join(import.meta.dirname, 'children', name);

  async function withDeaths(deaths: number, folds: number, options: Record<string, unknown> = {}): Promise<SmallRun> {
    const place = new Place();
    process.env['MUSTER_TEST_LIVES'] = join(place.directory, 'lives');
    process.env['MUSTER_TEST_DEATHS'] = String(deaths);
    process.env['MUSTER_TEST_FOLDS'] = String(folds);
    const trainer = await place.trainer(child('dying-train.mjs'));
    return begin(place, trainer, { run: place.run(options) });
  }

  test('every run is opened again from its checkpoint, with a higher round', async () => {
    const small = await withDeaths(2, 3, { checkpointEveryMs: 0 });
    expect(shaOf(await small.ending)).toBe(await undisturbed());
    const rounds = small.starts.map(({ round }) => round);
    expect(rounds).toEqual(rounds.map((_, at) => at + 1));
    // Three folds and a death, twice; with a checkpoint of every step nothing is done again.
    expect(rounds).toHaveLength(20 + 2);
  });

  test('a run at which it dies again and again fails', async () => {
    const small = await withDeaths(99, 0);
    expect(await small.ending).toMatchObject({ type: 'failed', error: { code: 'COMPUTE_FAILED' } });
    expect(small.starts).toHaveLength(3);
  });

  test('... also where the checkpoint is some steps before', async () => {
    const small = await withDeaths(99, 3, { batch: 16 });
    expect(await small.ending).toMatchObject({ type: 'failed', error: { code: 'COMPUTE_FAILED' } });
    expect(small.starts.map(({ ask }) => (ask as TrainRound).step)).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
  });

  async function withDeathsAt(path: string): Promise<{ place: Place; trainer: Trainer }> {
    process.env['MUSTER_TEST_DIES_AT'] = path;
    const place = new Place();
    return { place, trainer: await place.trainer(child('dies-at-path.mjs')) };
  }

  test('... and where it is the checkpoint at which it dies', async () => {
    const { place, trainer } = await withDeathsAt('checkpoint.safetensors');
    expect(await begin(place, trainer).ending).toMatchObject({ type: 'failed', error: { code: 'COMPUTE_FAILED' } });
  });

  test('runs that only waited in line are not to blame', async () => {
    const bad = '00000000000000bb' as TaskId;
    const { place, trainer } = await withDeathsAt(bad);
    const small = begin(place, trainer, { isStopped: () => true });
    for (const task of [bad, '00000000000000aa' as TaskId]) trainer.open(task, place.run());
    expect(await small.ending).toMatchObject({ type: 'failed', error: { why: `task ${bad}, step 0` } });
    await waitUntil(() => small.tasks.at(-1) === '00000000000000aa', { what: 'the last run is open' });
  });

  test('and cannot be started again, open runs fail, and it is tried less and less often', async () => {
    process.env['MUSTER_TEST_LIVES_MAX'] = '1';
    const small = await withDeaths(99, 0);
    expect(await small.ending).toMatchObject({
      type: 'failed',
      error: { what: 'the trainer process cannot be started' },
    });
    // The first, which died at the run, and five in vain.
    expect(statSync(process.env['MUSTER_TEST_LIVES']!).size).toBe(6);
  });
});

describe('a run', () => {
  test('fails with what is wrong with its checkpoint', async () => {
    const place = new Place();
    const run = { ...place.run(), checkpointPath: writeSamples(place.directory, 'other', 10)[0] ?? null };
    const small = begin(place, await place.trainer(), { run });
    expect(await small.ending).toMatchObject({ type: 'failed', error: { code: 'BAD_DATA' } });
  });

  const testOnLinux = process.platform === 'linux' ? test : skipBecause('only Linux has a file that is always full');

  testOnLinux('waits for room on the disk', async () => {
    const place = new Place();
    const full = [1, 3].map((round) => join(place.incomingDirectory, incomingBlockName(TASK, round, 'weights')));
    for (const path of full) symlinkSync('/dev/full', path);
    const warnings: string[] = [];
    const warn = (_: object, text: string): void => {
      warnings.push(text);
      const path = full.shift();
      if (path !== undefined) rmSync(path);
    };
    const small = begin(place, await place.trainer(undefined, { ...silentLogger, warn }));
    expect(shaOf(await small.ending)).toBe(await undisturbed());
    expect(warnings).toEqual(Array.from({ length: 2 }, () => expect.stringContaining('there is no room')));
    expect(small.starts).toHaveLength(20);
  });

  test('is opened once, and not heard of when it is closed', async () => {
    const place = new Place();
    const trainer = await place.trainer();
    const small = begin(place, trainer);
    trainer.open(TASK, place.run());
    trainer.close(TASK);
    const other = '0000000000000002' as TaskId;
    trainer.open(other, { ...place.run(), checkpointPath: join(place.directory, 'lost') });
    await small.ending;
    const steps = small.reports.map(({ step }) => step);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    expect(small.reports).toHaveLength(20);
    expect(readdirSync(place.incomingDirectory)).toEqual([]);
    await expect(trainer.check({ task: TASK } as never)).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
  });

  test('leaves nothing when it is forgotten', async () => {
    const place = new Place();
    const trainer = await place.trainer();
    await begin(place, trainer).ending;
    expect(existsSync(trainer.checkpointPath(TASK))).toBe(true);
    trainer.forget(TASK);
    await trainer.stop();
    expect(trainer.tasks()).toEqual([]);
  });
});
