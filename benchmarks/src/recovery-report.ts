import { barChart } from './plot.ts';
import { describe, figures, type Report } from './report.ts';
import type { RecoveryRow } from './scenarios/recovery.ts';

const columns = ['fault', 'until', 's', 'worst', 'without fault', 'target', 'met'];

export const recoveryTable = ({ machine, rows }: Report<RecoveryRow>): string =>
  [
    describe(machine),
    ...figures([columns, ...rows.map(cells)]),
    '',
    'Seconds from the fault, which hits a float32 product in the middle, until what stands beside it.',
    '',
  ].join('\n');

const cells = (row: RecoveryRow): string[] => [
  row.fault,
  row.missing === '' ? row.until : `not measured: ${row.missing}`,
  ...[row.ms, row.worstMs, row.faultFreeMs].map(seconds),
  targetText(row),
  row.met === null ? '-' : row.met ? 'yes' : 'NO',
];

const targetText = ({ targetMs, slowdownMax }: RecoveryRow): string =>
  slowdownMax === null ? seconds(targetMs) : `+${Math.round(100 * slowdownMax)} %`;

const seconds = (ms: number | null): string => (ms === null ? '-' : (ms / 1000).toFixed(2));

export function recoveryChart({ machine, rows }: Report<RecoveryRow>): string {
  const measured = rows.filter(({ ms, faultFreeMs }) => ms !== null && faultFreeMs === null);
  const ofFaults = (of: (row: RecoveryRow) => number | null): (number | null)[] =>
    measured.map((row) => {
      const ms = of(row);
      return ms === null ? null : ms / 1000;
    });
  return barChart({
    title: 'From a fault to useful work',
    subtitle: `Everything on one machine: ${machine.cpu}, ${machine.cores} cores`,
    valueAxis: 'seconds',
    groups: measured.map(({ fault }) => shortName(fault)),
    series: [
      { name: 'measured', values: ofFaults(({ ms }) => ms) },
      { name: 'target', values: ofFaults(({ targetMs }) => targetMs) },
    ],
    format: (value) => String(Number(value.toFixed(2))),
  });
}

/** Shortened to fit under a group of bars. */
const shortName = (fault: string): string =>
  fault
    .replace('provider told to leave', 'provider leaves')
    .replace('head killed and started again', 'head killed')
    .replace('broker no longer blocked', 'broker unblocked');
