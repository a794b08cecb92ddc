import { describe, expect, test } from '@jest/globals';
import { curveChart, curveTable } from '../src/curve-report.ts';
import { echoRow, inTurn, productRow, speedKept, type Rounds } from '../src/scenarios/curve.ts';
import { waysOf, type Way, type WayName } from '../src/scenarios/ways.ts';
import { machine } from './a-machine.ts';
import { wellFormed } from './xml.ts';

const way = (name: WayName): Way => waysOf('linux').find((one) => one.name === name)!;
const product = { n: 4096, providers: 2, operands: 'resident', inProcessMs: 1000 } as const;
const timed: Rounds<number> = new Map([
  ['plain', [400, 600, 500]],
  ['CURVE', [500, 1000, 550]],
]);

describe('a product', () => {
  test('has medians, and its speed beside the plain way in the same round', () => {
    expect(productRow(product, { way: way('CURVE'), timed })).toEqual({
      ...product,
      kind: 'product',
      way: 'CURVE',
      repetitions: 3,
      ms: 550,
      bestMs: 500,
      speedup: 1000 / 550,
      ofPlain: 0.8,
    });
  });

  test('by a plain way is beside nothing', () => {
    expect(productRow(product, { way: way('plain'), timed })).toMatchObject({ ms: 500, speedup: 2, ofPlain: null });
  });

  test('is not beside a way that this system does not have', () => {
    expect(productRow(product, { way: way('ipc'), timed: new Map([['ipc', [1]]]) }).ofPlain).toBeNull();
  });
});

describe('an echo', () => {
  const run = (wallMs: number) => ({ wallMs, latencyMs: { p50: wallMs / 100, p99: wallMs / 10 } });
  const runs = new Map([
    ['plain', [run(100), run(80), run(90)]],
    ['CURVE', [run(200), run(90), run(120)]],
  ] as const);

  test('is that of the median rate', () => {
    const given = { mode: 'batched', providers: 2, count: 6000 } as const;
    expect(echoRow(given, { way: way('CURVE'), timed: runs })).toEqual({
      ...given,
      kind: 'echo',
      way: 'CURVE',
      repetitions: 3,
      subtasksPerSecond: 50_000,
      p50Ms: 1.2,
      p99Ms: 12,
      ofPlain: 0.75,
    });
  });
});

test('rounds begin with another way each', () => {
  const order = [0, 1, 2, 3].map((round) => inTurn(['a', 'b', 'c'], round).join(''));
  expect(order).toEqual(['abc', 'bca', 'cab', 'abc']);
});

test('a speed is compared round by round: what slows both down in one of them changes nothing', () => {
  expect(speedKept([100, 1000, 100], [90, 900, 90])).toBeCloseTo(0.9, 12);
});

test.each([
  ['linux', ['ipc', 'plain, shared files', 'CURVE', 'plain']],
  ['darwin', ['ipc', 'CURVE', 'plain']],
  ['win32', ['CURVE', 'plain']],
] as const)('%s has the ways that it can have', (platform, names) => {
  expect(waysOf(platform).map(({ name }) => name)).toEqual(names);
});

const rows = [
  productRow(product, { way: way('CURVE'), timed }),
  productRow(product, { way: way('plain'), timed }),
  productRow({ ...product, operands: 'sent' }, { way: way('plain'), timed }),
  echoRow(
    { mode: 'unbatched', providers: 2, count: 6000 },
    { way: way('plain'), timed: new Map([['plain', [{ wallMs: 50, latencyMs: { p50: 0.5, p99: 2 } }]]]) },
  ),
];

test('the table has products and echoes apart', () => {
  const lines = curveTable({ machine, rows })
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));
  expect(lines).toContainEqual(['resident', 'CURVE', '4096', '2', '550', '500', '1000', '1.82x', '80%']);
  expect(lines).toContainEqual(['resident', 'plain', '4096', '2', '500', '400', '1000', '2.00x', '-']);
  expect(lines).toContainEqual(['unbatched', 'plain', '2', '6000', '120,000', '0.50', '2.00', '-']);
});

test('the chart shows the largest products, and a gap for what was not measured', () => {
  const svg = curveChart({ machine, rows: [{ ...rows[0]!, n: 512, speedup: 99 } as (typeof rows)[0], ...rows] });
  expect(wellFormed(svg)).toBe('');
  expect(svg).toContain('<desc>B resident: CURVE 1.82, plain 2; all sent: CURVE not measured, plain 2</desc>');
});
