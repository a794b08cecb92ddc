import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { operandDtypes } from '@muster/shared';
import * as fc from 'fast-check';
import { readJob } from '../../src/compute/kernels.ts';
import { TileKernel } from '../../src/compute/tile-kernel.ts';
import { tampering } from '../../src/compute/tamper.ts';
import { loopMultipliers } from './loop-multiplier.ts';
import { BlockDirectory } from './tile-fixture.ts';

let blocks: BlockDirectory;
beforeEach(() => {
  blocks = new BlockDirectory();
});
afterEach(() => blocks.remove());

const kernelOf = (multipliers = loopMultipliers(), cacheBytes = 2 ** 24): TileKernel =>
  new TileKernel({ multipliers, cacheBytes });

describe('a tile is the product of its blocks', () => {
  test.each(operandDtypes)('%s, any number of stripes and chunks of any size', async (dtype) => {
    const extents = (maxLength: number, max: number) =>
      fc.array(fc.integer({ min: 1, max }), { minLength: 1, maxLength });
    const cacheBytes = fc.constantFrom(0, 2 ** 20, 2 ** 24);
    const shape = fc.record({
      rows: extents(4, 9),
      depths: extents(3, 20),
      columns: fc.integer({ min: 1, max: 9 }),
      cacheBytes,
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, depths, columns, cacheBytes: bytes }) => {
        const tile = blocks.tile({ dtype, rows, depths, columns });
        const done = await kernelOf(loopMultipliers(2), bytes).run(readJob(tile.job));
        const { worst, allowed } = tile.off();
        expect(worst).toBeLessThanOrEqual(allowed);
        expect(done.bytes).toBe(readFileSync(tile.job.out).length);
      }),
      { numRuns: 40 },
    );
  });

  test('tiles one after the other do not disturb each other through their reused buffers', async () => {
    const kernel = kernelOf(loopMultipliers(3), 0);
    const shapes = [
      { rows: [7, 5], depths: [13, 4], columns: 3 },
      { rows: [2], depths: [30], columns: 8 },
      { rows: [7, 5], depths: [13, 4], columns: 3 },
    ];
    for (let round = 0; round < 12; round++) {
      const dtype = operandDtypes[round % 3]!;
      const tile = blocks.tile({ dtype, ...shapes[round % 3]! }, { seedA: round % 4, seedB: round % 2 });
      await kernel.run(readJob(tile.job));
      const { worst, allowed } = tile.off();
      expect(worst).toBeLessThanOrEqual(allowed);
    }
  });

  test('a tile with more rows than fit at once is computed in groups of stripes', async () => {
    const multipliers = loopMultipliers();
    const tile = blocks.tile({ dtype: 'float32', rows: [2, 1, 2, 3], depths: [1300, 700], columns: 2 });
    await kernelOf(multipliers, 0).run(readJob(tile.job));
    expect(tile.off().worst).toBeLessThanOrEqual(tile.off().allowed);
    const runs = multipliers.float32.log.filter((line) => line.startsWith('multiply'));
    const expected = [3, 2, 3].flatMap((rows) => [`multiply ${rows} 1300 2`, `multiply ${rows} 700 2`]);
    expect(runs).toEqual(expected);
  });

  test('the file is replaced, also by a shorter tile', async () => {
    const tile = blocks.tile({ dtype: 'float32', rows: [1], depths: [1], columns: 1 });
    writeFileSync(tile.job.out, 'something longer than four bytes');
    expect((await kernelOf().run(readJob(tile.job))).bytes).toBe(4);
    expect(tile.off().worst).toBe(0);
  });
});

describe('operands in memory', () => {
  const shape = { dtype: 'float32', rows: [4], depths: [8], columns: 4 } as const;

  test('A and B are read once while they are used again', async () => {
    const multipliers = loopMultipliers();
    const kernel = kernelOf(multipliers);
    const tile = blocks.tile(shape);
    await kernel.run(readJob(tile.job));
    await kernel.run(readJob(tile.job));
    expect(multipliers.float32.log).toEqual(['adopt a 128', 'adopt b 128', 'multiply 4 8 4', 'multiply 4 8 4']);
  });

  test('B becomes resident at the use at which that pays, and gives the same result', async () => {
    const multipliers = loopMultipliers(3);
    const kernel = kernelOf(multipliers);
    for (let use = 1; use <= 4; use++) {
      const tile = blocks.tile(shape, { seedA: use });
      await kernel.run(readJob(tile.job));
      expect(tile.off().worst).toBeLessThanOrEqual(tile.off().allowed);
    }
    const without = multipliers.float32.log.filter((line) => !line.startsWith('adopt'));
    expect(without).toEqual(['multiply 4 8 4', 'multiply 4 8 4', 'keep 8 4', 'resident', 'resident']);
  });

  test('the same bytes in another shape are another operand', async () => {
    const kernel = kernelOf(loopMultipliers(2));
    const same = { seedA: 5, seedB: 5 };
    for (const [rows, depth, columns] of [
      [4, 8, 4],
      [8, 4, 8],
      [4, 8, 4],
      [8, 4, 8],
    ] as const) {
      const tile = blocks.tile({ dtype: 'float64', rows: [rows], depths: [depth], columns }, same);
      await kernel.run(readJob(tile.job));
      expect(tile.off().worst).toBeLessThanOrEqual(tile.off().allowed);
    }
  });
});

describe('what is refused', () => {
  test('a block of the wrong length, by name', async () => {
    const { job } = blocks.tile({ dtype: 'float32', rows: [2], depths: [3], columns: 2 });
    writeFileSync(job.paths[0]!, new Uint8Array(20));
    await expect(kernelOf().run(readJob(job))).rejects.toThrow('the blocks have 20 bytes, the operand has 24');
    writeFileSync(job.paths[0]!, new Uint8Array(40));
    await expect(kernelOf().run(readJob(job))).rejects.toThrow(`the block ${job.paths[0]} has 40 bytes`);
  });

  test('a tile whose lists of blocks do not fit its shape', async () => {
    const { job } = blocks.tile({ dtype: 'float32', rows: [2, 2], depths: [3], columns: 2 });
    const work = { ...job.work, a: job.work.a.slice(1) };
    await expect(kernelOf().run(readJob({ ...job, work, paths: job.paths.slice(1) }))).rejects.toMatchObject({
      code: 'COMPUTE_FAILED',
    });
  });

  test('work with more or fewer files than blocks', () => {
    const { job } = blocks.tile({ dtype: 'float32', rows: [2, 2], depths: [3], columns: 2 });
    expect(() => readJob({ ...job, paths: job.paths.slice(1) })).toThrow('the work is not consistent');
  });
});

describe('tampering, for tests of verification', () => {
  const tampered = async (kind: string): Promise<number[]> => {
    const finish = tampering(kind)!;
    const tile = blocks.tile({ dtype: 'float64', rows: [3], depths: [2], columns: 3 });
    await new TileKernel({ multipliers: loopMultipliers(), cacheBytes: 0, finish }).run(readJob(tile.job));
    return [...tile.result()].map((value, at) => value - tile.expected[at]!);
  };

  test('all elements, one, or every sign', async () => {
    for (const off of await tampered('all')) expect(off).toBeCloseTo(1, 10);
    const one = await tampered('one-element:0.05');
    expect(one.filter((off) => off !== 0)).toHaveLength(1);
    expect(one[4]).toBeCloseTo(0.05, 10);
    const turned = new Float32Array([1, -2]);
    tampering('flip')!(turned);
    expect([...turned]).toEqual([-1, 2]);
  });

  test('every sign, but not at first', () => {
    const finish = tampering('flip:1')!;
    const results = [new Float32Array([1, -2]), new Float32Array([3]), new Float32Array([4])];
    for (const result of results) finish(result);
    expect(results.map((result) => [...result])).toEqual([[1, -2], [-3], [-4]]);
  });

  test('nothing by default, and no unknown kind', () => {
    expect(tampering('')).toBeUndefined();
    expect(() => tampering('some')).toThrow('tamper cannot be read');
  });
});
