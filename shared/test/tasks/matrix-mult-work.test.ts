import { describe, expect, test } from '@jest/globals';
import {
  blockCount,
  dtypes,
  productDtype,
  forecastMatrixMult,
  stripingOfA,
  stripingOfB,
  taskTypeNamed,
  type TileWork,
} from '@muster/shared';
import { matrixMultSpec } from '@muster/shared/testkit';
import * as fc from 'fast-check';
import { node, nodes, specs } from './arbitrary-products.ts';

const matrixMult = taskTypeNamed('matrix_mult');

describe('a forecast', () => {
  const big = matrixMultSpec({ m: 8192, k: 8192, n: 8192 });

  test('has a point for each number of nodes, and the plan carries it', () => {
    fc.assert(
      fc.property(specs, nodes, (spec, given) => {
        const forecast = forecastMatrixMult(spec, given);
        expect(forecast.map((point) => point.nodes)).toEqual(given.map((_, at) => at + 1));
        expect(matrixMult.plan(spec, given).forecast).toEqual(forecast);
        const flops = 2 * spec.m * spec.k * spec.n;
        const speeds = given.map((facts) => facts.gflops[spec.dtype] * 1e6).toSorted((x, y) => y - x);
        let together = 0;
        forecast.forEach(({ ms }, at) => {
          together += speeds[at] ?? 0;
          expect(ms).toBeGreaterThan((flops / together) * (1 - 1e-9));
        });
      }),
      { numRuns: 50 },
    );
  });

  test('is never worse with faster links', () => {
    fc.assert(
      fc.property(specs, nodes, (spec, given) => {
        const faster = given.map((facts) => ({ ...facts, linkBytesPerMs: facts.linkBytesPerMs * 10 }));
        const [before, after] = [given, faster].map((list) => forecastMatrixMult(spec, list).at(-1)?.ms ?? 0);
        expect(after).toBeLessThanOrEqual((before ?? 0) + 1e-9);
      }),
      { numRuns: 50 },
    );
  });

  test('falls with every node of an equal, well connected set', () => {
    const ms = forecastMatrixMult(
      big,
      Array.from({ length: 4 }, () => node(90, { linkBytesPerMs: 1e8 })),
    ).map((point) => point.ms);
    expect(ms[0]).toBeGreaterThan(12_000);
    expect(ms[1]).toBeLessThan((ms[0] ?? 0) * 0.55);
    expect(ms[3]).toBeLessThan((ms[1] ?? 0) * 0.55);
  });

  test('advises fewer nodes when distribution loses', () => {
    const slowLink = Array.from({ length: 4 }, () => node(90, { linkBytesPerMs: 12_000 }));
    const { advice } = matrixMult.plan(matrixMultSpec({ m: 1000, k: 1000, n: 1000 }), slowLink);
    expect(advice).toMatch(/^fewer nodes would be faster: forecast \S+ \S+ on 1 node, \S+ \S+ on 4: try --nodes 1$/);
    expect(
      matrixMult.plan(
        big,
        [node(90), node(90)].map((facts) => ({ ...facts, linkBytesPerMs: 1e8 })),
      ).advice,
    ).toBe('');
  });
});

describe('the work of a tile', () => {
  const spec = matrixMultSpec({ m: 1100, k: 20_000, n: 300 });
  const plan = matrixMult.plan(spec, [node(1000)]);
  const named = ({ operand, block }: { operand: string; block: number }): never => `${operand}${block}` as never;

  test('names every block of A once for each column stripe, and every block of B once for each row group', () => {
    const [a, b] = [stripingOfA(spec), stripingOfB(spec)];
    expect(matrixMult.operands(spec)).toEqual([
      { name: 'a', blocks: blockCount(a) },
      { name: 'b', blocks: blockCount(b) },
    ]);
    const used = new Map<string, number>();
    for (let index = 0; index < plan.subtasks; index++) {
      for (const need of matrixMult.needs(spec, plan, index)) used.set(named(need), (used.get(named(need)) ?? 0) + 1);
    }
    expect(used.size).toBe(blockCount(a) + blockCount(b));
    for (const [name, times] of used) if (name.startsWith('a')) expect(times).toBe(b.stripes);
  });

  test('lists blocks in the order of its rows and depths', () => {
    const work = matrixMult.work(spec, plan, { indices: [0], blocks: named, node: '' as never }) as TileWork;
    const [top = 0, bottom = 0, left = 0, right = 0] = matrixMult.region(spec, plan, 0);
    expect(work.rows.reduce((sum, rows) => sum + rows, 0)).toBe(bottom - top);
    expect(work.columns).toBe(right - left);
    expect(work.depths).toEqual([8192, 8192, 3616]);
    expect(work.a).toEqual(Array.from({ length: work.rows.length * 3 }, (_, at) => `a${at}`));
    expect(work.b).toEqual(['b0', 'b1', 'b2']);
    expect(matrixMult.flops(spec, plan, 0)).toBe(2 * (bottom - top) * 20_000 * (right - left));
  });

  test('has blocks and results of known sizes, which add up to the matrices', () => {
    fc.assert(
      fc.property(specs, nodes, (any, given) => {
        const { m, k, n, dtype } = any;
        const planned = matrixMult.plan(any, given);
        const sizes = matrixMult
          .operands(any)
          .map(({ name, blocks }) =>
            range(blocks).reduce((bytes, block) => bytes + matrixMult.blockBytes(any, { operand: name, block }), 0),
          );
        expect(sizes).toEqual([m * k, k * n].map((elements) => elements * dtypes[dtype].bytes));
        const results = range(planned.subtasks).map((index) => matrixMult.resultBytes(any, planned, index));
        expect(results.reduce((bytes, result) => bytes + result, 0)).toBe(m * n * dtypes[productDtype(dtype)].bytes);
      }),
      { numRuns: 50 },
    );
  });

  const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

  test('is one tile to a lease, and none beyond the plan', () => {
    const lease = (indices: readonly number[]): unknown =>
      matrixMult.work(spec, plan, { indices, blocks: named, node: '' as never });
    for (const indices of [[], [0, 1], [plan.subtasks]]) {
      expect(() => lease(indices)).toThrow(expect.objectContaining({ code: 'BUG' }));
    }
  });
});

describe('a specification', () => {
  const valid = { m: 2, k: 3, n: 4, dtype: 'int8', grid: 'auto' };

  test.each([
    ['m', 0],
    ['m', 1.5],
    ['k', 65_537],
    ['n', '4'],
    ['dtype', 'int32'],
    ['grid', '0x2'],
    ['grid', '2x'],
  ])('with %s %j is refused', (field, value) => {
    expect(() => matrixMult.parseSpec({ ...valid, [field]: value })).toThrow(
      expect.objectContaining({ code: 'USAGE', why: expect.stringContaining(field) as unknown }),
    );
  });

  test('is described by shape and type', () => {
    expect(matrixMult.describe(matrixMult.parseSpec(valid))).toEqual({ shape: [2, 3, 4], dtype: 'int8' });
  });

  test('for no node is refused', () => {
    expect(() => matrixMult.plan(matrixMult.parseSpec(valid), [])).toThrow(
      expect.objectContaining({ code: 'NOT_ENOUGH_NODES' }),
    );
  });
});
