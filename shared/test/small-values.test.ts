import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  backoffMs,
  blockIdOf,
  formatBytes,
  formatDuration,
  isBlockId,
  isProviderId,
  isSessionId,
  isTaskId,
  parseDurationMs,
  TIMER_MS_MAX,
  parseSizeBytes,
  parseWhole,
  seededRandom,
  tcpAddress,
} from '@muster/shared';

describe('quantities', () => {
  test.each([
    ['30s', 30_000],
    ['250ms', 250],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['7', 7000],
    [' 5s ', 5000],
    ['0', 0],
  ])('duration %s', (text, ms) => expect(parseDurationMs(text, '--timeout')).toBe(ms));

  test.each(['', 's', '-1s', '1e3', '5 s', '10y', 'NaN', '1.s'])('refused duration %j', (text) => {
    expect(() => parseDurationMs(text, '--timeout')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test.each([
    ['512M', 512 * 2 ** 20],
    ['4G', 4 * 2 ** 30],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['64 kb', 65_536],
    ['100', 100],
    ['1T', 2 ** 40],
  ])('size %s', (text, bytes) => expect(parseSizeBytes(text, '--memory')).toBe(bytes));

  test.each(['', 'G', '-4G', '4X', '4GG'])('refused size %j', (text) => {
    expect(() => parseSizeBytes(text, '--memory')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test('a duration has a largest value, where a timer waits for it', () => {
    expect(parseDurationMs('30d', '--ttl')).toBe(30 * 86_400_000);
    expect(() => parseDurationMs('30d', '--timeout', TIMER_MS_MAX)).toThrow(
      expect.objectContaining({ code: 'USAGE', fix: '--timeout 24d' }),
    );
  });

  test('a size has a least value', () => {
    expect(parseSizeBytes('64M', '--memory', 2 ** 26)).toBe(2 ** 26);
    expect(() => parseSizeBytes('10', '--memory', 2 ** 26)).toThrow(
      expect.objectContaining({ code: 'USAGE', why: "got '10', which is 10 B; at least 64.0 MiB are needed" }),
    );
  });

  test('whole numbers within their range', () => {
    expect(parseWhole('4', '--nodes', [1, 50])).toBe(4);
    for (const text of ['0', '51', '1.5', '-1', 'four', '', '0x4']) {
      expect(() => parseWhole(text, '--nodes', [1, 50])).toThrow(expect.objectContaining({ code: 'USAGE' }));
    }
  });

  test('are written for people', () => {
    expect([0, 1023, 1024, 1.5 * 2 ** 20, 200 * 2 ** 30].map(formatBytes)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '1.5 MiB',
      '200 GiB',
    ]);
    expect([0.25, 12, 1500, 61_000].map(formatDuration)).toEqual(['0.3 ms', '12 ms', '1.5 s', '1 min 1 s']);
  });

  test.each([
    [59_400, '59.4 s'],
    [59_700, '1 min 0 s'],
    [119_700, '2 min 0 s'],
    [3_599_700, '1 h 0 min'],
    [86_399_900, '24 h 0 min'],
  ])('%d ms are rounded before they are cut', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('back-off', () => {
  const backoff = { firstMs: 100, factor: 2, maxMs: 5000 };

  test('stays between half and the whole of its ceiling', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, random) => {
          const ceiling = Math.min(5000, 100 * 2 ** (attempt - 1));
          const ms = backoffMs(backoff, attempt, random);
          expect(ms).toBeGreaterThanOrEqual(ceiling / 2);
          expect(ms).toBeLessThanOrEqual(ceiling);
        },
      ),
    );
  });

  test('doubles until its maximum', () => {
    expect([1, 2, 3, 50].map((attempt) => backoffMs(backoff, attempt, 0))).toEqual([50, 100, 200, 2500]);
  });
});

describe('ids', () => {
  const [short, long] = ['0123456789abcdef', '0123456789abcdef0123456789abcdef'];

  test('have their lengths and hex digits', () => {
    expect([isTaskId(short), isProviderId(short), isSessionId(long), isBlockId(long)]).not.toContain(false);
    expect([isTaskId(long), isProviderId(long), isSessionId(short), isBlockId(short)]).not.toContain(true);
    for (const text of ['', short.toUpperCase(), `${short}\n`, ` ${short}`, '../../etc/passwd', 'g'.repeat(16)]) {
      expect(isTaskId(text)).toBe(false);
    }
  });
});

describe('block ids', () => {
  test('are the first 128 bits of BLAKE3', () => {
    // Test vectors of the BLAKE3 repository: input length 0 and 3 (bytes 0, 1, 2).
    expect(blockIdOf(new Uint8Array(0))).toBe('af1349b9f5f9a1a6a0404dea36dcc949');
    expect(blockIdOf(Uint8Array.of(0, 1, 2))).toBe('e1be4d7a8ab5560aa4199eea339849ba');
  });

  test('hash the view, not the buffer behind it', () => {
    const whole = Uint8Array.of(9, 9, 0, 1, 2, 9);
    expect(blockIdOf(whole.subarray(2, 5))).toBe(blockIdOf(Uint8Array.of(0, 1, 2)));
    expect(isBlockId(blockIdOf(whole))).toBe(true);
  });
});

describe('seeded random numbers', () => {
  test('are the same for the same seed and lie in [0, 1)', () => {
    const [one, same, other] = [seededRandom(7), seededRandom(7), seededRandom(8)];
    const drawn = Array.from({ length: 1000 }, one);
    expect(Array.from({ length: 1000 }, same)).toEqual(drawn);
    expect(Array.from({ length: 1000 }, other)).not.toEqual(drawn);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...drawn)).toBeLessThan(1);
    expect(drawn.reduce((sum, value) => sum + value, 0) / 1000).toBeCloseTo(0.5, 1);
  });
});

test('addresses put IPv6 hosts in brackets', () => {
  expect(tcpAddress({ host: '10.0.0.1', portBase: 5555 }, 'results')).toBe('tcp://10.0.0.1:5557');
  expect(tcpAddress({ host: 'fe80::1', portBase: 6000 }, 'registration')).toBe('tcp://[fe80::1]:6000');
});
