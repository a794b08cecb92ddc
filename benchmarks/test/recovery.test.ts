import { expect, test } from '@jest/globals';
import { recoveryChart, recoveryTable } from '../src/recovery-report.ts';
import { recoveryRow } from '../src/scenarios/recovery.ts';
import { machine } from './a-machine.ts';
import { wellFormed } from './xml.ts';

const killed = { name: 'provider killed', until: 'its work is with another node', targetMs: 500, slowdownMax: null };
const brokerKilled = { name: 'broker killed', until: 'the task is done', targetMs: null, slowdownMax: 0.1 };
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
    slowdownMax: null,
    met: true,
    missing: '',
  });
});

test('a time that was promised is kept by the worst, a slow-down by the median', () => {
  const metBy = (fault: Parameters<typeof recoveryRow>[0], ...recoveries: ReturnType<typeof recovery>[]) =>
    recoveryRow(fault, { missing: '', recoveries }).met;
  expect(metBy(killed, recovery(20), recovery(30), recovery(501))).toBe(false);
  expect(metBy(brokerKilled, recovery(1090, 1000))).toBe(true);
  expect(metBy(brokerKilled, recovery(1300, 1000), recovery(1080, 1000), recovery(1090, 1010))).toBe(true);
  expect(metBy(brokerKilled, recovery(1110, 1000))).toBe(false);
  expect(metBy({ ...killed, targetMs: null }, recovery(20))).toBe(null);
});

test('a slow-down is that of one repetition, whose tasks are of another size than those of the next', () => {
  const recoveries = [recovery(39_000, 38_900), recovery(42_000, 61_000), recovery(77_500, 73_200)];
  expect(recoveryRow(brokerKilled, { missing: '', recoveries })).toMatchObject({
    ms: 39_000,
    faultFreeMs: 38_900,
    worstMs: 77_500,
    met: true,
  });
  const slower = [recovery(40_000, 30_000), recovery(50_000, 60_000), recovery(80_000, 70_000)];
  expect(recoveryRow(brokerKilled, { missing: '', recoveries: slower })).toMatchObject({ ms: 80_000, met: false });
});

test('a fault that cannot be brought about has its reason and no figure', () => {
  const row = recoveryRow(killed, { missing: 'needs root', recoveries: [] });
  expect(row).toMatchObject({ ms: null, worstMs: null, repetitions: 0, met: null, missing: 'needs root' });
  expect(recoveryTable({ machine, rows: [row] })).toMatch(
    /provider killed +not measured: needs root +- +- +- +0\.50 +-/,
  );
});

test('what was promised beside the time without the fault stands in the table as such', () => {
  const row = recoveryRow(brokerKilled, { missing: '', recoveries: [recovery(5600, 5000)] });
  expect(recoveryTable({ machine, rows: [row] })).toMatch(
    /broker killed +the task is done +5\.60 +5\.60 +5\.00 +\+10 % +NO/,
  );
});

test('the chart leaves out what has no figure and what is compared with itself', () => {
  const rows = [
    recoveryRow(killed, { missing: '', recoveries: [recovery(250)] }),
    recoveryRow({ ...killed, name: 'provider vanished' }, { missing: 'needs root', recoveries: [] }),
    recoveryRow(brokerKilled, { missing: '', recoveries: [recovery(5000, 4900)] }),
  ];
  const svg = recoveryChart({ machine, rows });
  expect(wellFormed(svg)).toBe('');
  expect(svg).toContain('<desc>provider killed: measured 0.25, target 0.5</desc>');
});
