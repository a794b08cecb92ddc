import { describe, expect, test } from '@jest/globals';
import {
  dtypes,
  productDtype,
  taskTypeNamed,
  type MatrixMultSpec,
  type NodeFacts,
  type TaskPlan,
} from '@muster/shared';
import { matrixMultSpec } from '@muster/shared/testkit';
import * as fc from 'fast-check';
import { cutInBands, extent, productOf, shares, sum, type Cut } from '../../src/tasks/matrix-mult/grid.ts';
import { chooseCut, fastestFirst } from '../../src/tasks/matrix-mult/forecast.ts';
import { workingSetBytes } from '../../src/tasks/matrix-mult/tiles.ts';
import { node, nodes, side, specs, speed } from './arbitrary-products.ts';

const matrixMult = taskTypeNamed('matrix_mult');
const regions = (spec: MatrixMultSpec, plan: TaskPlan): (readonly number[])[] =>
  Array.from({ length: plan.subtasks }, (_, index) => matrixMult.region(spec, plan, index));

/** Elements of C covered by stripe and counted once each, or a message. */
function coverage(spec: MatrixMultSpec, plan: TaskPlan): string {
  const { a, b } = productOf(spec);
  const seen = new Uint8Array(a.stripes * b.stripes);
  for (const [top = 0, bottom = 0, left = 0, right = 0] of regions(spec, plan)) {
    if (left % b.stripeSpan !== 0 || right !== Math.min(spec.n, left + b.stripeSpan)) return `columns ${left}-${right}`;
    if (top % a.stripeSpan !== 0 || top >= bottom || bottom > spec.m) return `rows ${top}-${bottom}`;
    for (let row = top; row < bottom; row += a.stripeSpan) {
      const stripe = (row / a.stripeSpan) * b.stripes + left / b.stripeSpan;
      const times = seen[stripe] ?? 1;
      seen[stripe] = times + 1;
      if (times !== 0) return `twice: ${row},${left}`;
    }
  }
  return seen.every((times) => times === 1) ? 'exactly once' : 'holes';
}

describe('a plan', () => {
  test('covers C exactly once, gives every tile a home and fits the smallest memory', () => {
    fc.assert(
      fc.property(specs, nodes, (spec, given) => {
        const plan = matrixMult.plan(spec, given);
        expect(coverage(spec, plan)).toBe('exactly once');
        expect(plan.homes).toHaveLength(plan.subtasks);
        const homes = [...new Set(plan.homes)];
        expect(homes).toHaveLength(plan.nodes);
        expect(homes.every((home) => given[home] !== undefined)).toBe(true);
        expect(plan.subtasks).toBeLessThanOrEqual(128 * 128);
        const least = Math.min(...homes.map((home) => given[home]?.memoryBytes ?? 0));
        expect(oversized(spec, plan, least)).toEqual([]);
        expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
      }),
      { numRuns: 150 },
    );
  });

  /** Tiles of several row stripes that do not fit half of the memory; single stripes are as small as tiles get. */
  function oversized(spec: MatrixMultSpec, plan: TaskPlan, memoryBytes: number): (readonly number[])[] {
    const product = productOf(spec);
    return regions(spec, plan).filter(([top = 0, bottom = 0, left = 0, right = 0]) => {
      const fits = workingSetBytes(product, bottom - top, right - left) <= memoryBytes / 2;
      return !fits && bottom - top > product.a.stripeSpan;
    });
  }

  test('is the same for the same nodes', () => {
    fc.assert(
      fc.property(specs, nodes, (spec, given) => {
        expect(matrixMult.plan(spec, given)).toEqual(matrixMult.plan(spec, given));
      }),
      { numRuns: 20 },
    );
  });

  test('keeps the work of a tile small in blocks, and its result under 32 MiB', () => {
    fc.assert(
      fc.property(specs, nodes, (spec, given) => {
        const plan = matrixMult.plan(spec, given);
        for (const index of new Set([0, plan.subtasks >> 1, plan.subtasks - 1])) {
          const [top = 0, bottom = 0, left = 0, right = 0] = matrixMult.region(spec, plan, index);
          expect((bottom - top) * (right - left) * dtypes[productDtype(spec.dtype)].bytes).toBeLessThanOrEqual(2 ** 25);
          expect(matrixMult.needs(spec, plan, index).length).toBeLessThanOrEqual(1024);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('of 65,536 x 65,536 for 50 nodes stays small', () => {
    const spec = matrixMultSpec({ m: 65_536, k: 65_536, n: 65_536, dtype: 'float64' });
    const plan = matrixMult.plan(
      spec,
      Array.from({ length: 50 }, (_, at) => node(9000 * (1 + (at % 10)), { memoryBytes: 2 ** 26 })),
    );
    expect(plan.subtasks).toBe(16_384);
    expect(JSON.stringify(plan.layout).length).toBeLessThan(300_000);
  });
});

describe('areas', () => {
  test('are within one stripe of the proportion of speeds', () => {
    fc.assert(
      fc.property(
        fc.array(speed, { minLength: 1, maxLength: 50 }),
        fc.integer({ min: 1, max: 128 }),
        (speeds, stripes) => {
          const counts = shares(speeds, stripes);
          const total = sum(speeds);
          expect(sum(counts)).toBe(stripes);
          counts.forEach((count, at) => {
            expect(Math.abs(count - (stripes * (speeds[at] ?? 0)) / total)).toBeLessThanOrEqual(1 + 1e-9);
          });
        },
      ),
    );
  });

  test('of a cut in any bands differ from the proportion by less than a stripe in each direction', () => {
    const bandings = fc.array(fc.array(speed, { minLength: 1, maxLength: 7 }), { minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(bandings, side, side, (bands, m, n) => {
        const product = productOf(matrixMultSpec({ m, n }));
        const weights = bands.flat().map((value, position) => ({ node: position, speed: value }));
        const cut = cutInBands(
          product,
          weights,
          bands.map((band) => band.length),
        );
        const total = sum(bands.flat());
        for (const band of bands) {
          const width = (product.b.stripes * sum(band)) / total;
          for (const value of band) {
            const height = (product.a.stripes * value) / sum(band);
            const position = bands.flat().indexOf(value);
            expect(Math.abs(areaOf(cut, position) - width * height)).toBeLessThanOrEqual(width + height + 1 + 1e-6);
          }
        }
      }),
    );
  });

  /** In stripes of A times stripes of B. */
  const areaOf = (cut: Cut, position: number): number =>
    sum(cut.filter((part) => part.node === position).map(({ rows, columns }) => extent(rows) * extent(columns)));

  test('of equal nodes are equal when the stripes allow it', () => {
    const product = productOf(matrixMultSpec({ m: 4096, k: 512, n: 4096 }));
    const four = Array.from({ length: 4 }, () => node(90));
    const cut = cutInBands(product, fastestFirst(product, four), [2, 2]);
    expect(cut.map(({ rows, columns }) => [rows, columns])).toEqual([
      [
        [0, 4],
        [0, 4],
      ],
      [
        [4, 8],
        [0, 4],
      ],
      [
        [0, 4],
        [4, 8],
      ],
      [
        [4, 8],
        [4, 8],
      ],
    ]);
  });

  test('leave out a node that would only hold up the others', () => {
    const plan = matrixMult.plan(matrixMultSpec({ m: 4000, k: 4000, n: 4000 }), [node(5), node(1000)]);
    expect(new Set(plan.homes)).toEqual(new Set([1]));
    expect(plan.advice).toContain('without tiles: 1 of 2 nodes');
  });
});

describe('a grid', () => {
  const spec = (fields: Partial<MatrixMultSpec>): MatrixMultSpec =>
    matrixMultSpec({ m: 4000, k: 4000, n: 4000, ...fields });
  const equal = (count: number): NodeFacts[] => Array.from({ length: count }, () => node(90, { linkBytesPerMs: 2e6 }));
  const partsOf = (fields: Partial<MatrixMultSpec>, given: readonly NodeFacts[]): Cut =>
    chooseCut(productOf(spec(fields)), given).cut;

  test('1d cuts by columns, or by rows when there are too few column stripes', () => {
    expect(partsOf({ grid: '1d' }, equal(4)).map(({ rows, columns }) => [rows, columns])).toEqual([
      [
        [0, 8],
        [0, 2],
      ],
      [
        [0, 8],
        [2, 4],
      ],
      [
        [0, 8],
        [4, 6],
      ],
      [
        [0, 8],
        [6, 8],
      ],
    ]);
    expect(partsOf({ grid: '1d', n: 1 }, equal(4)).map(({ rows }) => rows)).toEqual([
      [0, 2],
      [2, 4],
      [4, 6],
      [6, 8],
    ]);
  });

  test('2d cuts both ways', () => {
    const columns = partsOf({ grid: '2d' }, equal(4)).map((part) => part.columns.join('-'));
    expect(new Set(columns)).toEqual(new Set(['0-4', '4-8']));
  });

  test('RxC is R row bands by C column bands of the fastest nodes', () => {
    const given = [node(10), node(90), node(90), node(90), node(90), node(90), node(90)];
    const cut = partsOf({ grid: '2x3' }, given);
    expect(cut.map((part) => part.node)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(new Set(cut.map(({ columns }) => columns.join('-'))).size).toBe(3);
    expect(new Set(cut.map(({ rows }) => rows.join('-')))).toEqual(new Set(['0-4', '4-8']));
  });

  test('that needs more nodes than there are is replaced, and the plan says so', () => {
    const plan = matrixMult.plan(spec({ grid: '4x4' }), equal(6));
    expect(plan.nodes).toBe(6);
    expect(plan.advice).toContain('grid 4x4 needs 16 nodes and 6 are there: cut for 6');
  });

  test('that is finer than the stripes is made coarser, and the plan says so', () => {
    const plan = matrixMult.plan(spec({ m: 1, grid: '4x2' }), equal(8));
    expect(plan.nodes).toBe(2);
    expect(plan.advice).toContain("grid 4x2 is finer than the product's stripes: cut 1x2");
  });

  test.each([
    ['1 x n', { m: 1 }],
    ['n x 1', { n: 1 }],
  ])('auto uses all nodes for a product of %s', (_shape, fields) => {
    expect(matrixMult.plan(spec(fields), equal(3)).nodes).toBe(3);
  });
});

describe('tiles', () => {
  const perNode = (plan: TaskPlan, count: number): number[] =>
    Array.from({ length: count }, (_, at) => plan.homes.filter((home) => home === at).length);
  const fast = (count: number): NodeFacts[] => Array.from({ length: count }, () => node(90, { linkBytesPerMs: 2e7 }));

  test('of a small product are whole column stripes', () => {
    const plan = matrixMult.plan(matrixMultSpec({ m: 1000, k: 1000, n: 1000 }), fast(2));
    expect(perNode(plan, 2)).toEqual([2, 2]);
    expect(matrixMult.region(matrixMultSpec({ m: 1000, k: 1000, n: 1000 }), plan, 0)).toEqual([0, 1000, 0, 256]);
  });

  test('of a large product are many, but none under 4 ms', () => {
    const spec = matrixMultSpec({ m: 4000, k: 4000, n: 4000 });
    const plan = matrixMult.plan(spec, fast(4));
    expect(Math.min(...perNode(plan, 4))).toBeGreaterThanOrEqual(4);
    for (let index = 0; index < plan.subtasks; index++) {
      expect(matrixMult.flops(spec, plan, index) / 90e6).toBeGreaterThan(4);
    }
  });
});
