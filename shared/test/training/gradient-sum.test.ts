import { describe, expect, test } from '@jest/globals';
import { GradientSum, robustMean, type SampleSum } from '@muster/shared';
import * as fc from 'fast-check';
import { bitsOf, gradientOf, largestDifference, refusal } from './arbitrary-gradients.ts';

const PARAMETERS = 37;
const partOf = (shard: number, seed = 0): SampleSum => ({
  gradient: gradientOf(PARAMETERS, 1000 * seed + shard, 10 ** ((shard * 7) % 5)),
  samples: 10 + shard,
  loss: 0.1 * (shard + 1),
});

function meanOf(
  shards: number,
  order: readonly number[],
): { mean: Float32Array; loss: number; missing: readonly number[] } {
  const sum = new GradientSum(shards, PARAMETERS);
  for (const shard of order) expect(sum.add(shard, partOf(shard))).toBe(true);
  const mean = new Float32Array(PARAMETERS);
  return { mean, ...sum.mean(mean) };
}

const arrivals = fc.integer({ min: 1, max: 21 }).chain((shards) =>
  fc.tuple(
    fc.constant(shards),
    fc.shuffledSubarray(
      Array.from({ length: shards }, (_, shard) => shard),
      { minLength: 1 },
    ),
  ),
);

describe('a gradient sum', () => {
  test('has the same bits whatever the order of arrival, and knows who is missing', () => {
    fc.assert(
      fc.property(arrivals, ([shards, order]) => {
        const ascending = order.toSorted((a, b) => a - b);
        const [one, two] = [meanOf(shards, order), meanOf(shards, ascending)];
        expect(bitsOf(one.mean)).toEqual(bitsOf(two.mean));
        expect(one.loss).toBe(two.loss);
        expect(one.missing).toEqual(Array.from({ length: shards }, (_, i) => i).filter((i) => !order.includes(i)));
      }),
    );
  });

  test('is the mean over the samples that arrived', () => {
    fc.assert(
      fc.property(arrivals, ([shards, order]) => {
        const { mean } = meanOf(shards, order);
        const samples = order.reduce((sum, shard) => sum + 10 + shard, 0);
        const sums = Array.from({ length: PARAMETERS }, (_, i) =>
          order.reduce((sum, shard) => sum + partOf(shard).gradient[i]!, 0),
        );
        const largest = Math.max(...order.map((shard) => 10 ** ((shard * 7) % 5)));
        expect(
          largestDifference(
            mean,
            sums.map((sum) => sum / samples),
          ),
        ).toBeLessThan(largest * 1e-6);
      }),
    );
  });

  test('counts a copy once', () => {
    const sum = new GradientSum(4, PARAMETERS);
    sum.add(1, partOf(1));
    const copy = partOf(1, 5);
    const before = copy.gradient.slice();
    expect(sum.add(1, copy)).toBe(false);
    expect(copy.gradient).toEqual(before);
    expect(sum.missing()).toEqual([0, 2, 3]);
    const total = sum.sum()!;
    expect([total.samples, total.gradient]).toEqual([11, partOf(1).gradient]);
  });

  test('begins anew after each step and reuses its arrays', () => {
    const sum = new GradientSum(5, PARAMETERS);
    const arrays = new Set<Float32Array>();
    const mean = new Float32Array(PARAMETERS);
    for (let step = 0; step < 4; step += 1) {
      for (const shard of [3, 0, 4, 1, 2]) {
        const gradient = sum.spare();
        arrays.add(gradient);
        gradient.set(partOf(shard).gradient);
        sum.add(shard, { ...partOf(shard), gradient });
      }
      sum.mean(mean);
      expect(mean).toEqual(meanOf(5, [0, 1, 2, 3, 4]).mean);
      expect(sum.missing()).toEqual([0, 1, 2, 3, 4]);
    }
    expect(arrays.size).toBeLessThanOrEqual(5);
  });

  test.each([
    [5, {}, 'none of 5'],
    [-1, {}, 'none of 5'],
    [0.5, {}, 'none of 5'],
    [0, { gradient: new Float32Array(36) }, '36 values'],
    [0, { samples: 0 }, 'a count of 0'],
    [0, { samples: Number.NaN }, 'a count of NaN'],
  ])('refuses shard %d with %j', (shard, change, why) => {
    const sum = new GradientSum(5, PARAMETERS);
    const error = refusal(() => sum.add(shard, { ...partOf(0), ...change }));
    expect([error.code, sum.missing().length]).toEqual(['PROTOCOL', 5]);
    expect(error.why).toContain(why);
  });

  test('of nothing has no mean', () => {
    const sum = new GradientSum(2, PARAMETERS);
    expect(sum.sum()).toBeUndefined();
    expect(refusal(() => sum.mean(new Float32Array(PARAMETERS))).code).toBe('BUG');
  });
});

describe('a robust mean', () => {
  const shardsOf = (count: number, length: number): Float32Array[] =>
    Array.from({ length: count }, (_, shard) => gradientOf(length, shard));

  test.each([1, 2, 3, 4, 5, 7, 8, 11, 16, 33])('of %i shards is what sorting gives, whatever their order', (count) => {
    const gradients = shardsOf(count, 1100);
    const dropped = { median: Math.floor((count - 1) / 2), 'trimmed-mean': Math.floor(count * 0.25) };
    for (const aggregator of ['median', 'trimmed-mean'] as const) {
      const drop = dropped[aggregator];
      const expected = Float32Array.from({ length: 1100 }, (_, i) => {
        const kept = gradients
          .map((gradient) => gradient[i]!)
          .toSorted((a, b) => a - b)
          .slice(drop, count - drop);
        return kept.reduce((a, b) => a + b, 0) / kept.length;
      });
      const [out, turned] = [new Float32Array(1100), new Float32Array(1100)];
      robustMean({ aggregator, trim: 0.25 }, gradients, out);
      robustMean({ aggregator, trim: 0.25 }, gradients.toReversed(), turned);
      expect(out).toEqual(expected);
      expect(turned).toEqual(expected);
    }
  });

  test.each([1e30, -1e30, Infinity, -Infinity, Number.NaN])(
    'one shard of four that says %d is without effect',
    (lie) => {
      const gradients = shardsOf(3, 100);
      const out = new Float32Array(100);
      for (const aggregator of ['median', 'trimmed-mean'] as const) {
        robustMean({ aggregator, trim: 0.25 }, [...gradients, new Float32Array(100).fill(lie)], out);
        for (const [i, value] of out.entries()) {
          const honest = gradients.map((gradient) => gradient[i]!);
          expect(value).toBeGreaterThanOrEqual(Math.min(...honest));
          expect(value).toBeLessThanOrEqual(Math.max(...honest));
        }
      }
    },
  );

  test('refuses unequal gradients, and none', () => {
    const robust = { aggregator: 'median', trim: 0 } as const;
    expect(refusal(() => robustMean(robust, [], new Float32Array(1))).code).toBe('BUG');
    expect(refusal(() => robustMean(robust, shardsOf(2, 5), new Float32Array(4))).code).toBe('BUG');
  });
});
