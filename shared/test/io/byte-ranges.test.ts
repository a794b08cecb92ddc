import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { addByteRange, coversAll, type ByteRangeSet } from '../../src/io/byte-ranges.ts';

const SIZE = 40;
const piece = fc.tuple(fc.nat(SIZE), fc.nat(SIZE)).map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]);

describe('byte ranges', () => {
  test('hold exactly the bytes that were added, sorted, disjoint and not touching', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        let ranges: ByteRangeSet = [];
        const there = new Set<number>();
        for (const [from, to] of pieces) {
          ranges = addByteRange(ranges, from, to);
          for (let at = from; at < to; at++) there.add(at);
        }
        const held = new Set<number>();
        for (let i = 0; i < ranges.length; i += 2) {
          for (let at = ranges[i] as number; at < (ranges[i + 1] as number); at++) held.add(at);
        }
        expect(held).toEqual(there);
        for (let i = 1; i < ranges.length; i++) expect(ranges[i]).toBeGreaterThan(ranges[i - 1] as number);
        expect(coversAll(ranges, SIZE)).toBe(there.size === SIZE);
      }),
    );
  });

  test('nothing covers an empty block', () => {
    expect(coversAll([], 0)).toBe(true);
    expect(coversAll([], 1)).toBe(false);
  });
});
