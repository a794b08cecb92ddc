import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { fromRanges, toRanges } from '../../src/core/index-ranges.ts';
import { LatencySample } from '../../src/core/latency-sample.ts';
import { PendingSubtasks } from '../../src/core/pending.ts';

const anything = (): boolean => true;

function expectGone(inLine: Set<number>, taken: readonly number[]): void {
  for (const index of taken) expect(inLine.delete(index)).toBe(true);
}

describe('pending subtasks', () => {
  test('are taken in this order: those that came back, those of nobody, those of the homes that are named', () => {
    const pending = new PendingSubtasks(2, [[10, 12]]);
    pending.add(0, 1);
    pending.add(1, 2);
    pending.giveBack(7);
    expect(pending.take([1], 3, anything)).toEqual([7, 10, 11]);
    expect(pending.take([1], 3, anything)).toEqual([2]);
    expect(pending.size).toBe(1);
  });

  test('are stolen one at a time from the tail of the longest queue', () => {
    const pending = new PendingSubtasks(2, []);
    for (const index of [1, 2, 3]) pending.add(0, index);
    pending.add(1, 9);
    expect(pending.steal(anything)).toEqual([3]);
    expect(pending.steal((index) => index !== 2)).toEqual([1]);
    expect(pending.size).toBe(2);
  });

  test('that may not be taken now keep their places', () => {
    const pending = new PendingSubtasks(1, []);
    for (const index of [1, 2, 3]) pending.add(0, index);
    expect(pending.take([0], 1, (index) => index > 1)).toEqual([2]);
    expect(pending.take([0], 2, anything)).toEqual([1, 3]);
  });

  test('are each in line once, whatever is taken, given back and discarded', () => {
    const step = fc.record({ kind: fc.constantFrom('take', 'steal', 'discard', 'give-back'), number: fc.nat(40) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const pending = new PendingSubtasks(2, [
          [0, 10],
          [15, 30],
        ]);
        const inLine = new Set([...fromRanges([0, 10, 15, 30]), 31, 32, 33]);
        for (const index of [31, 32, 33]) pending.add(index % 2, index);
        for (const { kind, number } of steps) {
          if (kind === 'take') expectGone(inLine, pending.take([0], number % 5, anything));
          else if (kind === 'steal') expectGone(inLine, pending.steal(anything));
          else if (kind === 'discard' && inLine.delete(number)) pending.discard(number);
          else if (kind === 'give-back' && !inLine.has(number)) {
            inLine.add(number);
            pending.giveBack(number);
          }
          expect(pending.size).toBe(inLine.size);
        }
        expect(new Set(pending.take([0, 1], 100, anything))).toEqual(inLine);
      }),
    );
  });
});

describe('index ranges', () => {
  test('say the same as the indices', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(200)), (indices) => {
        const ascending = indices.toSorted((a, b) => a - b);
        expect(fromRanges(toRanges(ascending))).toEqual(ascending);
      }),
    );
  });

  test('join neighbours', () => {
    expect(toRanges([0, 1, 2, 5, 7, 8])).toEqual([0, 3, 5, 6, 7, 9]);
  });
});

describe('a latency sample', () => {
  test('is empty at first', () => {
    expect(new LatencySample().quantile(0.5)).toBe(0);
  });

  test('tells quantiles of the last values', () => {
    const sample = new LatencySample();
    for (let value = 1; value <= 2048 + 100; value += 1) sample.add(value);
    expect([sample.quantile(0), sample.quantile(0.5), sample.quantile(0.99), sample.quantile(1)]).toEqual([
      101, 1125, 2128, 2148,
    ]);
  });
});
