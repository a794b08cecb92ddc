import { expect, test } from '@jest/globals';
import { RecentLeases } from '../src/recent-leases.ts';

const recent = (count: number): RecentLeases => {
  const leases = new RecentLeases();
  for (let lease = 1; lease <= count; lease += 1) leases.add(lease);
  return leases;
};

test.each([1, 20_000, 20_001, 50_000, 79_999])('of %d leases the last 20,000 are known', (count) => {
  const leases = recent(count);
  expect(leases.has(count)).toBe(true);
  expect(leases.has(Math.max(1, count - 19_999))).toBe(true);
  expect(leases.has(count + 1)).toBe(false);
});

test('what is long over is forgotten', () => {
  expect(recent(50_000).has(9000)).toBe(false);
});

test.each([1, 20_001])('lease %d is not over when it is taken up again', (lease) => {
  const leases = recent(20_001);
  leases.delete(lease);
  expect(leases.has(lease)).toBe(false);
});
