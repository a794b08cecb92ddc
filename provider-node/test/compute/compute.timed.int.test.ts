import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { operandDtypes, silentLogger, type BlockId } from '@muster/shared';
import { startCompute, type Compute, type ComputeOptions } from '../../dist/compute/index.js';
import { ComputeProcess } from '../../dist/compute/compute-process.js';
import { BlockDirectory } from './tile-fixture.ts';

const options: ComputeOptions = { device: 'cpu', threads: 1, maxMemoryBytes: 2 ** 28, logger: silentLogger };

let blocks: BlockDirectory;
let compute: Compute;
beforeAll(async () => {
  blocks = new BlockDirectory();
  compute = await startCompute(options);
}, 60_000);
afterAll(async () => {
  await compute.stop();
  blocks.remove();
});

const expectRight = (tile: ReturnType<BlockDirectory['tile']>): void => {
  const { worst, allowed } = tile.off();
  expect(worst).toBeLessThanOrEqual(allowed);
};

test('the facts of the CPU are measured', () => {
  const { kind, label, threads, memoryBytes, gflops, refused } = compute.device;
  expect({ kind, threads, memoryBytes, refused }).toEqual({
    kind: 'cpu',
    threads: 1,
    memoryBytes: 2 ** 28,
    refused: [],
  });
  expect(label).not.toBe('');
  for (const rate of Object.values(gflops)) expect(rate).toBeGreaterThan(0.1);
});

describe.each(operandDtypes)('%s', (dtype) => {
  test.each([
    ['1 x 1', { rows: [1], depths: [1], columns: 1 }],
    ['a row', { rows: [1], depths: [301], columns: 17 }],
    ['a column', { rows: [300, 41], depths: [9], columns: 1 }],
    ['a thin inner dimension', { rows: [512, 485], depths: [3], columns: 13 }],
    ['several stripes and chunks', { rows: [64, 64, 5], depths: [128, 128, 31], columns: 67 }],
  ])('%s', async (_, shape) => {
    const tile = blocks.tile({ dtype, ...shape });
    const done = await compute.run(tile.job);
    expect(done.bytes).toBe(tile.expected.byteLength);
    expectRight(tile);
  });

  test('a B that is used ten times gives the same at every use', async () => {
    for (let use = 0; use < 10; use++) {
      const tile = blocks.tile({ dtype, rows: [33], depths: [70], columns: 41 }, { seedA: 100 + use });
      await compute.run(tile.job);
      expectRight(tile);
    }
  });
});

test('int8 is exact where every product is the largest or the smallest', async () => {
  const [m, k, n] = [37, 1031, 21];
  const block = (name: string, length: number, value: number): string => {
    const path = join(blocks.path, name);
    writeFileSync(path, new Int8Array(length).fill(value));
    return path;
  };
  const tile = blocks.tile({ dtype: 'int8', rows: [m], depths: [k], columns: n });
  for (const a of [-128, 127]) {
    for (const b of [-128, 127]) {
      // One block that is both operands would be of two lengths.
      const [idA, idB] = [a + 128, (b + 128) ^ 1].map((byte) => Buffer.alloc(16, byte).toString('hex') as BlockId);
      const work = { ...tile.job.work, a: [idA!], b: [idB!] };
      const paths = [block(`a${a}`, m * k, a), block(`b${b}`, k * n, b)];
      await compute.run({ ...tile.job, work, paths });
      expect([...new Set(tile.result())]).toEqual([k * a * b]);
    }
  }
});

describe('failures', () => {
  const killed = expect.objectContaining({ code: 'COMPUTE_FAILED', why: 'killed by SIGKILL' });
  const large = (seedA: number) =>
    blocks.tile({ dtype: 'float64', rows: [256, 256], depths: [400], columns: 128 }, { seedA });

  test('a missing block fails its tile only', async () => {
    const bad = blocks.tile({ dtype: 'float32', rows: [2], depths: [2], columns: 2 });
    const pid = compute.pid;
    const failed = compute.run({
      ...bad.job,
      paths: [join(blocks.path, 'nowhere')],
      work: { ...bad.job.work, a: bad.job.work.b },
    });
    await expect(failed).rejects.toMatchObject({ code: 'COMPUTE_FAILED', why: expect.stringContaining('ENOENT') });
    await compute.run(bad.job);
    expectRight(bad);
    expect(compute.pid).toBe(pid);
  });

  test('when the process is killed its tile fails and the tiles behind it run in the next process', async () => {
    const { device, pid } = compute;
    const tiles = [large(1), large(2), large(3)];
    const running = Promise.allSettled(tiles.map(({ job }) => compute.run(job)));
    process.kill(pid, 'SIGKILL');
    const outcomes = await running;
    // Mostly the first, but on a busy machine it may be done before the signal is sent.
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(failed.map(({ reason }) => reason)).toEqual([killed]);
    tiles.forEach((tile, at) => outcomes[at]?.status === 'fulfilled' && expectRight(tile));
    expect(compute.pid).not.toBe(pid);
    expect(compute.device).toBe(device);
  });

  test('abort ends a long tile in less than a second', async () => {
    const first = large(4);
    await compute.run(first.job);
    // The same stripes 60 times over, in 50 jobs: seconds of work out of small files.
    const { work } = first.job;
    const repeat = <T>(list: readonly T[]): T[] => Array.from({ length: 60 }, () => list).flat();
    const endless = { ...first.job, work: { ...work, rows: repeat(work.rows), a: repeat(work.a) } };
    const outcomes = Promise.allSettled(Array.from({ length: 50 }, () => compute.run(endless)));
    const start = performance.now();
    await compute.abort();
    expect(performance.now() - start).toBeLessThan(1000);
    await compute.stop();
    const reasons = (await outcomes).flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(reasons[0]).toMatchObject({ code: 'COMPUTE_FAILED', why: 'aborted' });
    for (const reason of reasons.slice(1)) expect(reason).toMatchObject({ code: 'COMPUTE_FAILED', why: 'stopped' });
    await expect(compute.run(first.job)).rejects.toMatchObject({ code: 'COMPUTE_FAILED', why: 'stopped' });
    compute = await startCompute(options);
  }, 60_000);
});

describe('devices that cannot be used', () => {
  test('one that was asked for is an error with the reason and the way out', async () => {
    const asked = startCompute({ ...options, device: process.platform === 'win32' ? 'coreml' : 'dml' });
    await expect(asked).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      message: expect.stringContaining('cannot be used'),
      why: expect.stringContaining('backend not found'),
      fix: '--device auto',
    });
  });

  test('a process that does not answer in time is killed and says so', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'muster-silent-'));
    const entry = join(directory, 'silent.mjs');
    writeFileSync(entry, 'setInterval(() => undefined, 1000);');
    const silent = new ComputeProcess(silentLogger, entry);
    const request = { kind: 'cpu', threads: 1, cacheBytes: 0, served: null, tamper: '' } as const;
    await expect(silent.open(request, 50)).rejects.toMatchObject({ why: 'did not answer in 0 s' });
    await silent.exited;
    rmSync(directory, { recursive: true });
  });

  test('a process that dies says how, with the last line it wrote', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'muster-dying-'));
    const entry = join(directory, 'dying.mjs');
    writeFileSync(entry, `process.stderr.write('first\\nno driver\\n', () => process.exit(3));`);
    const dying = new ComputeProcess(silentLogger, entry);
    const request = { kind: 'cpu', threads: 1, cacheBytes: 0, served: null, tamper: '' } as const;
    await expect(dying.open(request, 60_000)).rejects.toMatchObject({ why: 'ended with 3: no driver' });
    rmSync(directory, { recursive: true });
  });
});

test('a tampering device gives wrong tiles', async () => {
  const wrong = await startCompute({ ...options, tamper: 'one-element:0.5' });
  const tile = blocks.tile({ dtype: 'float32', rows: [20], depths: [30], columns: 10 });
  await wrong.run(tile.job);
  expect(tile.off().worst).toBeCloseTo(0.5, 4);
  await wrong.stop();
});
