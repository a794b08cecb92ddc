import { describe, expect, test } from '@jest/globals';
import { HandshakeLimits, networkOf, type HandshakeRules } from '../../src/trust/handshake-limits.ts';

const rules: HandshakeRules = {
  burst: 3,
  perSecond: 2,
  failures: 3,
  firstPauseMs: 1000,
  maxPauseMs: 4000,
  addresses: 2,
};

const allowed = (limits: HandshakeLimits, address: string, atMs: readonly number[]): boolean[] =>
  atMs.map((nowMs) => limits.allows(address, nowMs));

describe('handshakes of one address', () => {
  test('come in a burst, then at a rate, and what is beyond costs nothing', () => {
    const limits = new HandshakeLimits(rules);
    expect(allowed(limits, 'a', [0, 0, 0, 0, 0, 0])).toEqual([true, true, true, false, false, false]);
    expect(allowed(limits, 'a', [400, 500, 500, 1000])).toEqual([false, true, false, true]);
    expect(allowed(limits, 'a', [60_000, 60_000, 60_000, 60_000])).toEqual([true, true, true, false]);
  });

  test('are none of another one', () => {
    const limits = new HandshakeLimits(rules);
    allowed(limits, 'a', [0, 0, 0, 0]);
    expect(limits.allows('b', 0)).toBe(true);
  });

  test('are remembered of so many addresses', () => {
    const limits = new HandshakeLimits(rules);
    allowed(limits, 'a', [0, 0, 0, 0]);
    for (const address of ['b', 'c']) limits.allows(address, 0);
    expect(limits.allows('a', 0)).toBe(true);
  });
});

describe('strangers of one address', () => {
  /** How long the pause is that follows after so many failures at a time; null: none. */
  const pauseAfter = (limits: HandshakeLimits, nowMs: number): number | null =>
    [1, 2, 3].map(() => limits.failed('a', nowMs)).at(-1)?.ms ?? null;

  test('pause after too many failures, longer each time, up to a limit', () => {
    const limits = new HandshakeLimits(rules);
    expect([limits.failed('a', 0), limits.failed('a', 0), limits.isPaused('a', 0)]).toEqual([null, null, false]);
    expect(limits.failed('a', 10)).toEqual({ ms: 1000 });
    expect([limits.isPaused('a', 1009), limits.isPaused('a', 1010), limits.isPaused('b', 10)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([2000, 5000, 10_000].map((nowMs) => pauseAfter(limits, nowMs))).toEqual([2000, 4000, 4000]);
  });

  test('begin anew after they were good for long', () => {
    const limits = new HandshakeLimits(rules);
    pauseAfter(limits, 0);
    expect(pauseAfter(limits, 100_000)).toBe(1000);
  });

  test('may fail now and then', () => {
    const limits = new HandshakeLimits(rules);
    for (let minute = 0; minute < 100; minute += 1) expect(limits.failed('a', minute * 31_000)).toBeNull();
  });
});

test.each([
  ['192.168.1.20', '192.168.1.20'],
  ['::ffff:192.168.1.20', '192.168.1.20'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::6', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['::1', '0:0:0:0'],
  ['', ''],
])('%s is of the network %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
