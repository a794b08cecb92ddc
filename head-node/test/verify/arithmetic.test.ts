import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { clearLimit, elementIsHonest, widestLimit } from '../../src/verify/arithmetic.ts';
import { drawProbe, wholeMax } from '../../src/verify/probe.ts';
import { rootMeanSquare } from '../../src/verify/root-mean-square.ts';

const F32_MAX = (2 - 2 ** -23) * 2 ** 127;

describe('what rounding explains', () => {
  test('grows with the size of the row and its length, and leaves nothing to integers', () => {
    const size = { depth: 1024, columns: 256 };
    const clear = clearLimit('float32', size);
    expect(clear(1, 0)).toBeCloseTo(160 * 2 ** -24 * 16, 10);
    expect(clear(1, 10)).toBeCloseTo(320 * 2 ** -24 * 16, 10);
    expect(widestLimit('float32', { ...size, depth: 4096 })(1, 1)).toBeCloseTo(4096 * 2 ** -24 * 16, 10);
    for (const limit of [clearLimit, widestLimit]) {
      expect(limit('float32', size)(1e30, 0)).toBeCloseTo(1e30 * limit('float32', size)(1, 0), -26);
      expect(limit('int8', size)(1, 1)).toBe(0);
      // Flushed denormals.
      expect(limit('float32', size)(0, 0)).toBeGreaterThan(0);
    }
  });

  test('an element is honest within what roundings of random sign add up to, or twice what they do in order', () => {
    const near = { exact: 1, magnitude: 10, drift: 0, depth: 100 };
    expect(elementIsHonest('float32', 1 + 28 * 10 * 2 ** -24, near)).toBe(true);
    expect(elementIsHonest('float32', 1 + 29 * 10 * 2 ** -24, near)).toBe(false);
    expect(elementIsHonest('float32', 1.001, near)).toBe(false);
    expect(elementIsHonest('float32', 1.001, { ...near, drift: 0.0005 })).toBe(true);
    expect(elementIsHonest('float32', Number.NaN, near)).toBe(false);
    expect(elementIsHonest('float32', Infinity, near)).toBe(false);
  });

  test('an element may be infinite or no number where its sum may be', () => {
    const overflow = { exact: 0, magnitude: F32_MAX, drift: 0, depth: 2 };
    expect(elementIsHonest('float32', Infinity, overflow)).toBe(true);
    expect(elementIsHonest('float32', Number.NaN, overflow)).toBe(true);
    const unknown = { exact: Number.NaN, magnitude: Number.NaN, drift: Number.NaN, depth: 2 };
    expect(elementIsHonest('float32', Number.NaN, unknown)).toBe(true);
    expect(elementIsHonest('float32', 1, unknown)).toBe(false);
    const infinite = { exact: Infinity, magnitude: Infinity, drift: Number.NaN, depth: 2 };
    expect(elementIsHonest('float32', 1, infinite)).toBe(false);
  });
});

describe('probes', () => {
  test('for integers keep every sum exact in float64, and have no zero', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 512 }), fc.integer({ min: 1, max: 65_536 }), (columns, depth) => {
        const max = wholeMax(columns, depth);
        expect(max).toBeGreaterThanOrEqual(2 ** 13);
        expect(2 ** 14 * depth * columns * max).toBeLessThanOrEqual(2 ** 53);
        expect(2 ** 31 * columns * max).toBeLessThanOrEqual(2 ** 53);
      }),
    );
    const [values = new Float64Array()] = drawProbe('int8', { columns: 5000, depth: 65_536 }).parts;
    const max = wholeMax(5000, 65_536);
    expect(values.every((value) => Number.isInteger(value) && value !== 0 && Math.abs(value) <= max)).toBe(true);
    expect(values.some((value) => value > 0) && values.some((value) => value < 0)).toBe(true);
  });

  test('for floating point are normal deviates', () => {
    const [values = new Float64Array()] = drawProbe('float64', { columns: 50_000, depth: 1 }).parts;
    const mean = Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
    // Ten standard errors.
    expect(Math.abs(mean)).toBeLessThan(10 / Math.sqrt(values.length));
    expect(Math.abs(rootMeanSquare(values) - 1)).toBeLessThan(10 / Math.sqrt(2 * values.length));
    expect(drawProbe('float32', { columns: 7, depth: 1 }).parts.map((part) => part.length)).toEqual([7, 7]);
  });
});

describe('rootMeanSquare', () => {
  test('is scale-free over the whole range of float64', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.double({ min: -1, max: 1, noNaN: true }).map((x) => x + Math.sign(x)),
          { minLength: 1 },
        ),
        fc.integer({ min: -900, max: 900 }),
        (values, power) => {
          const scaled = values.map((value) => value * 2 ** power);
          const expected = Math.hypot(...values) / Math.sqrt(values.length);
          expect(Math.abs(rootMeanSquare(scaled) / 2 ** power - expected)).toBeLessThanOrEqual(1e-12);
        },
      ),
    );
  });

  test('takes a part, and is finite only when all of it is', () => {
    expect(rootMeanSquare([9, 3, 4, 9], 1, 3)).toBeCloseTo(Math.sqrt(12.5), 12);
    expect(rootMeanSquare([0, 0])).toBe(0);
    expect(rootMeanSquare([1, Number.NaN])).toBeNaN();
    expect(rootMeanSquare([1, -Infinity])).toBe(Infinity);
  });
});
