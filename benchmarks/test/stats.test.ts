import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { median, medianBy, percentile } from '../src/stats.ts';

const samples = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1, maxLength: 50 });

describe('percentile', () => {
  test('is a nearest rank, whatever the order', () => {
    const ten = [7, 3, 10, 1, 9, 2, 8, 4, 6, 5];
    expect([0, 0.1, 0.5, 0.51, 0.99, 1].map((share) => percentile(ten, share))).toEqual([1, 1, 5, 6, 10, 10]);
  });

  test('covers its share of the samples and is one of them', () => {
    fc.assert(
      fc.property(samples, fc.double({ noNaN: true, min: 0.01, max: 1 }), (all, share) => {
        const value = percentile(all, share);
        expect(all).toContain(value);
        expect(all.filter((sample) => sample <= value).length).toBeGreaterThanOrEqual(Math.floor(share * all.length));
      }),
    );
  });

  test('of nothing is not a number', () => {
    expect(percentile([], 0.5)).toBeNaN();
  });
});

describe('median', () => {
  test('is the middle one, or between the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([10, 1, 2, 3])).toBe(2.5);
    expect(median([4])).toBe(4);
    expect(median([])).toBeNaN();
  });

  test('leaves the samples as they were', () => {
    const given = [3, 1, 2];
    median(given);
    percentile(given, 0.5);
    expect(given).toEqual([3, 1, 2]);
  });
});

describe('medianBy', () => {
  test('gives the sample itself, the lower one of two', () => {
    const runs = [{ ms: 30 }, { ms: 10 }, { ms: 20 }, { ms: 40 }];
    expect(medianBy(runs, ({ ms }) => ms)).toBe(runs[2]);
  });

  test('refuses none', () => {
    expect(() => medianBy([], Number)).toThrow(RangeError);
  });
});
