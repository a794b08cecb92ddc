/** Training steps as a table for people and as a chart for the README. */
import { formatBytes } from '@muster/shared';
import { barChart, type BarSeries } from './plot.ts';
import { describe, milliseconds, percent, figures, wayOf, type Report } from './report.ts';
import type { CrowdRow } from './scenarios/train-crowd.ts';
import type { TrainRow } from './scenarios/train.ts';

export interface TrainReport extends Report<TrainRow | CrowdRow> {
  /** How weights and gradients moved; see `ClusterOptions`. */
  readonly blocks: 'auto' | 'wire';
}

const measuredColumns = [
  'model',
  'batch',
  'providers',
  'compression',
  'ms',
  'images/s',
  'in process',
  'speedup',
  'over one',
  'apart',
  'compute',
  'transfer',
  'aggregate',
  'idle',
  'down',
  'up',
];
const emulatedColumns = ['model', 'batch', 'emulated providers', 'ms', 'waited', 'rest each', 'head CPU each'];

export const trainTable = (report: TrainReport): string =>
  [
    `${describe(report.machine)}; ${wayOf(report.blocks)}`,
    ...figures([measuredColumns, ...measuredOf(report).map((row, _, all) => measuredCells(row, all))]),
    '',
    'ms: one step. in process: the same step in one thread of this process, measured in turn with the cluster. over one: against one provider.',
    "compute: the nodes', in the mean; transfer: weights and gradients on their way; aggregate: the head's sum and optimizer; idle: waiting for the slowest.",
    'apart: a step of one share of the batch in process: the least that so many nodes could take, if nothing had to travel.',
    'down, up: bytes of a step, to and from all nodes.',
    '',
    ...crowdLines(emulatedOf(report)),
  ].join('\n');

const measuredOf = ({ rows }: TrainReport): TrainRow[] => rows.filter((row) => 'providers' in row);
const emulatedOf = ({ rows }: TrainReport): CrowdRow[] => rows.filter((row) => 'emulatedProviders' in row);

function measuredCells(row: TrainRow, all: readonly TrainRow[]): string[] {
  const { compute, transfer, aggregate, idle } = row.share;
  const over = overOne(row, all);
  return [
    row.model,
    ...[row.batch, row.providers].map(String),
    row.compression,
    milliseconds(row.ms),
    Math.round(row.imagesPerSecond).toLocaleString('en'),
    milliseconds(row.inProcessMs),
    `${row.speedup.toFixed(2)}x`,
    over === null ? '-' : `${over.toFixed(2)}x`,
    milliseconds(row.apartMs),
    ...[compute, transfer, aggregate, idle].map(percent),
    ...[row.bytesDown, row.bytesUp].map(formatBytes),
  ];
}

/** Speedup over one provider; null for one provider itself, and if that was not measured. */
export function overOne(row: TrainRow, all: readonly TrainRow[]): number | null {
  if (row.providers === 1) return null;
  const one = all.find(
    ({ model, batch, providers, compression }) =>
      providers === 1 && model === row.model && batch === row.batch && compression === row.compression,
  );
  return one === undefined ? null : one.ms / row.ms;
}

function crowdLines(rows: readonly CrowdRow[]): string[] {
  if (rows.length === 0) return [];
  return [
    ...figures([emulatedColumns, ...rows.map(crowdCells)]),
    '',
    'emulated: nodes in one process that wait for as long as one core would compute; everything but their computing is real.',
    "rest each: of a step that was not waited, over the nodes, on the cores of this machine; head CPU each: CPU time of the head's processes alone.",
    '',
  ];
}

const crowdCells = (row: CrowdRow): string[] => [
  row.model,
  ...[row.batch, row.emulatedProviders].map(String),
  ...[row.ms, row.waitMs, row.overheadMsPerProvider].map(milliseconds),
  row.headMsPerProvider === null ? '-' : milliseconds(row.headMsPerProvider),
];

export function trainChart(report: TrainReport): string {
  const plain = measuredOf(report).filter(({ compression }) => compression === 'none');
  const groups = [...new Set(plain.map(groupOf))];
  const counts = [...new Set(plain.map(({ providers }) => providers))];
  const series = counts.map((providers): BarSeries => {
    const speedup = (group: string): number | null =>
      plain.find((row) => row.providers === providers && groupOf(row) === group)?.speedup ?? null;
    return { name: `${providers} provider${providers === 1 ? '' : 's'}`, values: groups.map(speedup) };
  });
  const { cpu, cores } = report.machine;
  return barChart({
    title: 'One training step, every gradient exchanged',
    subtitle: `One thread per provider, one machine (${cpu}, ${cores} cores), ${wayOf(report.blocks)}`,
    valueAxis: 'speedup over one thread in process',
    groups,
    series,
    reference: { value: 1, name: 'ONNX Runtime in process, one thread' },
    format: (value) => String(Number(value.toFixed(2))),
  });
}

const groupOf = ({ model, batch }: TrainRow): string => `${model}, ${batch}`;
