import { expect, test } from '@jest/globals';
import { RefusalThrottle } from '../../src/trust/refusal-throttle.ts';

test('lets a few refusals of each source through and tells how many it held back', () => {
  const throttle = new RefusalThrottle(2);
  expect([1, 2, 3, 4].map(() => throttle.allows('a', 100_000))).toEqual([0, 0, null, null]);
  expect(throttle.allows('b', 100_000)).toBe(2);
  expect(throttle.allows('a', 170_000)).toBe(0);
});

test('counts sources beyond its memory as one', () => {
  const throttle = new RefusalThrottle(1);
  for (let source = 0; source < 1000; source += 1) expect(throttle.allows(String(source), 100_000)).toBe(0);
  expect(throttle.allows('one more', 100_000)).toBe(0);
  expect(throttle.allows('yet another', 100_000)).toBeNull();
});
