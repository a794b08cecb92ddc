import { describe, expect, test } from '@jest/globals';
import { cutBatch, EpochOrder, fillMask, virtualShards } from '@muster/shared';
import * as fc from 'fast-check';
import { refusal } from './arbitrary-gradients.ts';

const sizes = (ranges: readonly { from: number; to: number }[]): number[] => ranges.map(({ from, to }) => to - from);

describe('the order of an epoch', () => {
  test('is a permutation that seed, epoch and count decide', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(1000), fc.integer({ min: 0, max: 500 }), (seed, epoch, samples) => {
        const { order } = new EpochOrder(seed, epoch, samples);
        expect([...order].toSorted((a, b) => a - b)).toEqual(Array.from({ length: samples }, (_, i) => i));
        expect(new EpochOrder(seed, epoch, samples).order).toEqual(order);
      }),
    );
  });

  test('is this one on every machine', () => {
    expect([...new EpochOrder(7, 3, 12).order]).toEqual([3, 6, 8, 0, 1, 7, 4, 9, 10, 11, 5, 2]);
  });

  test('differs between epochs and seeds', () => {
    const orders = [0, 1, 2, 3].flatMap((seed) =>
      [0, 1, 2, 3].map((epoch) => new EpochOrder(seed, epoch, 40).order.join()),
    );
    expect(new Set(orders).size).toBe(16);
  });

  test('puts every sample everywhere about equally often', () => {
    const counts = new Float64Array(100);
    for (let epoch = 0; epoch < 5000; epoch += 1) {
      for (const [place, sample] of new EpochOrder(1, epoch, 10).order.entries()) counts[10 * place + sample]! += 1;
    }
    const chiSquare = counts.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0);
    expect(chiSquare).toBeLessThan(140);
    expect(chiSquare).toBeGreaterThan(40);
  });

  test('is cut into steps, the last one shorter', () => {
    const order = new EpochOrder(1, 0, 10);
    expect(order.steps(4)).toBe(3);
    expect([0, 1, 2].map((step) => order.samplesOf(step, 4).length)).toEqual([4, 4, 2]);
    expect([0, 1, 2].flatMap((step) => [...order.samplesOf(step, 4)])).toEqual([...order.order]);
  });
});

describe('a batch', () => {
  const cuts = fc.tuple(
    fc.integer({ min: 1, max: 3000 }),
    fc.array(fc.oneof(fc.double({ min: 0, max: 5000, noNaN: true }), fc.constantFrom(0, 1, Number.NaN, Infinity)), {
      minLength: 1,
      maxLength: 20,
    }),
    fc.integer({ min: 0, max: 64 }),
  );

  test('is cut into ranges that cover it in node order, none used below the minimum if the batch allows it', () => {
    fc.assert(
      fc.property(cuts, ([batch, speeds, minimum]) => {
        const ranges = cutBatch(batch, speeds, { minimum });
        expect(ranges.length).toBe(speeds.length);
        expect(ranges.reduce((end, { from, to }) => (from === end && to >= from ? to : Number.NaN), 0)).toBe(batch);
        for (const size of sizes(ranges)) expect(size === 0 || size >= Math.min(minimum, batch)).toBe(true);
      }),
    );
  });

  test('gives no slower node more, but for the minimum', () => {
    fc.assert(
      fc.property(cuts, ([batch, speeds, minimum]) => {
        const given = speeds.map((speed) => (speed > 0 && speed < Infinity ? speed : 0));
        const shares = sizes(cutBatch(batch, speeds, { minimum }));
        for (const [a, fast] of given.entries()) {
          for (const [b, slow] of given.entries())
            if (fast > slow) expect(shares[a]).toBeGreaterThanOrEqual(shares[b]!);
        }
      }),
    );
  });

  test.each([
    [{ batch: 100, speeds: [3, 1], minimum: 16 }, [75, 25]],
    [{ batch: 128, speeds: [1, 1, 1], minimum: 16 }, [43, 43, 42]],
    [{ batch: 100, speeds: [9, 1], minimum: 16 }, [84, 16]],
    [{ batch: 128, speeds: [100, 50, 1], minimum: 16 }, [75, 37, 16]],
    [{ batch: 40, speeds: [1, 3, 2], minimum: 16 }, [0, 24, 16]],
    [{ batch: 10, speeds: [1, 3, 2], minimum: 16 }, [0, 10, 0]],
    [{ batch: 64, speeds: [0, 5, Number.NaN], minimum: 16 }, [0, 64, 0]],
    [{ batch: 64, speeds: [0, 0], minimum: 16 }, [32, 32]],
    [{ batch: 7, speeds: [2, 1], minimum: 1 }, [5, 2]],
    [{ batch: 5, speeds: [1], minimum: 16 }, [5]],
    [{ batch: 100, speeds: [5, 1, 1, 1], minimum: 20 }, [40, 20, 20, 20]],
  ])('%j is cut %j', ({ batch, speeds, minimum }, expected) => {
    expect(sizes(cutBatch(batch, speeds, { minimum }))).toEqual(expected);
  });

  test('is cut by virtual shards into the same parts whoever computes', () => {
    expect(sizes(virtualShards(128, 8))).toEqual([16, 16, 16, 16, 16, 16, 16, 16]);
    expect(sizes(virtualShards(10, 4))).toEqual([2, 3, 2, 3]);
    expect(sizes(virtualShards(3, 8))).toEqual([1, 1, 1]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 64 }), (batch, count) => {
        const shards = virtualShards(batch, count);
        expect(shards.reduce((end, { from, to }) => (from === end && to > from ? to : Number.NaN), 0)).toBe(batch);
        expect(Math.max(...sizes(shards)) - Math.min(...sizes(shards))).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('a dropout mask', () => {
  const key = { seed: 5, step: 17, layer: 1, rate: 0.25 };
  const maskOf = (samples: number[], units: number, change: Partial<typeof key> = {}): Float32Array => {
    const out = new Float32Array(samples.length * units);
    fillMask({ ...key, ...change }, Uint32Array.from(samples), out);
    return out;
  };

  test('of a sample is the same in every shard', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(1e6), { minLength: 1, maxLength: 20 }), fc.nat(19), (samples, cut) => {
        const parts = [samples.slice(0, cut), samples.slice(cut)].filter((part) => part.length > 0);
        expect(parts.flatMap((part) => [...maskOf(part, 33)])).toEqual([...maskOf(samples, 33)]);
      }),
    );
  });

  test('is this one on every machine', () => {
    expect([...maskOf([3, 4], 8, { rate: 0.5 })]).toEqual([0, 2, 2, 2, 0, 0, 2, 2, 2, 2, 2, 0, 0, 0, 0, 2]);
  });

  test('drops its share and keeps the mean', () => {
    for (const rate of [0, 0.1, 0.25, 0.5, 0.9]) {
      const mask = maskOf(
        Array.from({ length: 400 }, (_, sample) => sample),
        500,
        { rate },
      );
      const dropped = mask.filter((value) => value === 0).length / mask.length;
      expect(Math.abs(dropped - rate)).toBeLessThan(5 * Math.sqrt((rate * (1 - rate)) / mask.length) + 1e-9);
      expect(new Set(mask.filter((value) => value !== 0))).toEqual(new Set([Math.fround(1 / (1 - rate))]));
    }
  });

  test('has no relation to that of the next sample, step, layer or seed, nor to itself one unit on', () => {
    const signs = (mask: Float32Array): Float32Array => mask.map((value) => (value === 0 ? -1 : 1));
    const one = signs(maskOf([9], 40_000, { rate: 0.5 }));
    const others = [
      maskOf([10], 40_000, { rate: 0.5 }),
      maskOf([9], 40_000, { rate: 0.5, step: 18 }),
      maskOf([9], 40_000, { rate: 0.5, layer: 2 }),
      maskOf([9], 40_000, { rate: 0.5, seed: 6 }),
      maskOf([9], 40_001, { rate: 0.5 }).subarray(1),
    ];
    for (const other of others.map(signs)) {
      const correlation = one.reduce((sum, sign, i) => sum + sign * other[i]!, 0) / 40_000;
      expect(Math.abs(correlation)).toBeLessThan(0.025);
    }
  });

  test('has whole rows', () => {
    expect(refusal(() => fillMask(key, Uint32Array.of(1, 2), new Float32Array(3))).code).toBe('BUG');
  });
});
