import { describe, expect, test } from '@jest/globals';
import { LinkRate } from '../../src/io/link-rate.ts';

function seen(...samples: readonly (readonly [bytes: number, ms: number])[]): number {
  const rate = new LinkRate();
  for (const [bytes, ms] of samples) {
    rate.began(1000);
    rate.received(bytes);
    rate.ended(1000 + ms);
  }
  return rate.bytesPerMs;
}

describe('the rate of a link', () => {
  test('is what came while something was under way', () => {
    const rate = new LinkRate();
    expect(rate.bytesPerMs).toBe(0);
    rate.began(0);
    for (const bytes of [2 ** 20, 2 ** 20]) rate.received(bytes);
    rate.ended(16);
    expect(rate.bytesPerMs).toBe(2 ** 17);
  });

  test('is the best of the latest samples: others were on the link', () => {
    expect(seen([2 ** 20, 8], [2 ** 20, 32])).toBe(2 ** 17);
    const slower = Array.from({ length: 8 }, () => [2 ** 20, 32] as const);
    expect(seen([2 ** 20, 8], ...slower)).toBe(2 ** 15);
  });

  test('is not told by a few bytes, unless they took long', () => {
    expect(seen([1000, 1])).toBe(0);
    expect(seen([1000, 100])).toBe(10);
    expect(seen([2 ** 21, 0])).toBe(0);
  });
});
