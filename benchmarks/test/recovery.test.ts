import { expect, test } from '@jest/globals';
import { recoveryChart, recoveryTable } from '../src/recovery-report.ts';
import { recoveryRow } from '../src/scenarios/recovery.ts';
import { wellFormed } from './xml.ts';

const machine = {
  cpu: 'a CPU',
  cores: 2,
  memoryBytes: 2 ** 34,
  node: 'v20.0.0',
  os: 'Linux 6.1 x64',
  date: '2026-03-01T10:00:00.000Z',
};
const killed = { name: 'provider killed', until: 'its work is with another node', targetMs: 500 };
const recovery = (ms: number, faultFreeMs: number | null = null) => ({ ms, faultFreeMs });

test('a row has the median and the worst', () => {
  const recoveries = [recovery(20), recovery(90), recovery(30)];
  expect(recoveryRow(killed, { missing: '', recoveries })).toEqual({
    fault: 'provider killed',
    until: 'its work is with another node',
    repetitions: 3,
    ms: 30,
    worstMs: 90,
    targetMs: 500,
    faultFreeMs: null,
    missing: '',
  });
});

test('a fault that cannot be brought about has its reason and no figure', () => {
  const row = recoveryRow(killed, { missing: 'needs root', recoveries: [] });
  expect(row).toMatchObject({ ms: null, worstMs: null, repetitions: 0, missing: 'needs root' });
  expect(recoveryTable({ machine, rows: [row] })).toMatch(/provider killed +not measured: needs root +- +- +0\.50 +-/);
});

test('the chart leaves out what has no figure and what is compared with itself', () => {
  const rows = [
    recoveryRow(killed, { missing: '', recoveries: [recovery(250)] }),
    recoveryRow({ ...killed, name: 'provider vanished' }, { missing: 'needs root', recoveries: [] }),
    recoveryRow({ ...killed, name: 'broker killed' }, { missing: '', recoveries: [recovery(5000, 4900)] }),
  ];
  const svg = recoveryChart({ machine, rows });
  expect(wellFormed(svg)).toBe('');
  expect(svg).toContain('<desc>provider killed: measured 0.25, target 0.5</desc>');
});
