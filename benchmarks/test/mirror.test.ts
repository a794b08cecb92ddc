import { describe, expect, test } from '@jest/globals';
import { mirrorChart, mirrorTable } from '../src/mirror-report.ts';
import { BEHIND_MAX_MS, echoRow, type EchoRun } from '../src/scenarios/mirror.ts';
import { blocksRows, type BlocksRun } from '../src/scenarios/mirror-blocks.ts';
import { machine } from './a-machine.ts';
import { wellFormed } from './xml.ts';

const run: EchoRun = {
  subtasksPerSecond: 70_000,
  p50Ms: 0.5,
  p99Ms: 2,
  worstLagMs: 30,
  worstOutbox: 12,
  caughtUpMs: 4,
  brokerCpuUs: 2.5,
};
const situation = {
  load: 'saturated',
  durability: 'mirrored',
  providers: 2,
  count: 300_032,
  localP50Ms: 0.375,
} as const;

describe('a row', () => {
  test('has the median of what varies and the worst of what shall not happen', () => {
    const runs = [
      run,
      { ...run, p50Ms: 0.75, subtasksPerSecond: 60_000, worstLagMs: 500, caughtUpMs: 90 },
      { ...run, p50Ms: 4, subtasksPerSecond: 65_000, worstOutbox: 99 },
    ];
    expect(echoRow(situation, runs)).toMatchObject({
      repetitions: 3,
      subtasksPerSecond: 65_000,
      p50Ms: 0.75,
      p50OverLocalMs: 0.375,
      sustained: true,
      worstLagMs: 500,
      worstOutbox: 99,
      caughtUpMs: 90,
    });
  });

  test('of a mirror that was once too far behind has no rate', () => {
    const row = echoRow(situation, [run, { ...run, worstLagMs: BEHIND_MAX_MS + 1 }, run]);
    expect(row).toMatchObject({ sustained: false, subtasksPerSecond: null });
    expect(mirrorTable({ machine, rows: [row] })).toContain('not sustained');
  });

  test('has no CPU time where the system does not tell it', () => {
    expect(echoRow(situation, [{ ...run, brokerCpuUs: null }, run]).brokerCpuUs).toBeNull();
  });
});

const MIB = 2 ** 20;
const product: BlocksRun = { productMs: 250.4, confirmed: 10, busyMs: 0 };

describe('operands', () => {
  const n = 2048;
  const setting = { n, providers: 2 };

  test('are what the broker confirmed beyond the messages that every product has', () => {
    const [, row] = blocksRows(setting, { never: [product], always: [{ ...product, confirmed: 26, busyMs: 100 }] });
    expect(row).toMatchObject({ bytes: 32 * MIB, confirmedShare: 0.5, confirmedMBps: (16 * MIB) / 100 / 1000 });
  });

  test('cannot be confirmed more than once', () => {
    const [, row] = blocksRows(setting, { never: [product], always: [{ ...product, confirmed: 99, busyMs: 100 }] });
    expect(row?.confirmedShare).toBe(1);
  });
});

test('the table has echoes and blocks apart', () => {
  const rows = [
    echoRow(situation, [run]),
    ...blocksRows(
      { n: 2048, providers: 2 },
      { never: [product], always: [{ ...product, confirmed: 26, busyMs: 100 }] },
    ),
  ];
  const lines = mirrorTable({ machine, rows })
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));
  expect(lines).toContainEqual([
    'saturated',
    'mirrored',
    '300032',
    '70,000',
    '0.50',
    '2.00',
    '0.13',
    '30',
    '12',
    '4',
    '2.5',
  ]);
  expect(lines).toContainEqual(['always', '2048', '34', '250', '168', '50%']);
  expect(lines).toContainEqual(['never', '2048', '34', '250', '-', '-']);
});

test('the chart compares the paced latencies', () => {
  const paced = { ...situation, load: 'paced' } as const;
  const rows = [echoRow({ ...paced, durability: 'local' }, [run]), echoRow(paced, [run]), echoRow(situation, [run])];
  const svg = mirrorChart({ machine, rows });
  expect(wellFormed(svg)).toBe('');
  expect(svg).toContain('<desc>local: p50 0.5, p99 2; mirrored: p50 0.5, p99 2</desc>');
});
