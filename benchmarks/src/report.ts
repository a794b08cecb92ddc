/** Rows as a table for people and as charts for the README. */
import { formatBytes, plural, table } from '@muster/shared';
import type { Machine } from './machine.ts';
import { barChart, type BarSeries } from './plot.ts';
import type { DispatchRow } from './scenarios/dispatch.ts';
import type { MatmulRow } from './scenarios/matmul.ts';

export interface Report<Row> {
  readonly machine: Machine;
  readonly rows: readonly Row[];
}

const matmulColumns = [
  'n',
  'providers',
  'operands',
  'ms',
  'best',
  'in process',
  'speedup',
  'GFLOP/s',
  'compute',
  'transfer',
  'idle',
  'verify',
  'plain JS',
];

export interface MatmulReport extends Report<MatmulRow> {
  /** How operands and results moved; see `ClusterOptions`. */
  readonly blocks: 'auto' | 'wire';
}

export const matmulTable = ({ machine, blocks, rows }: MatmulReport): string =>
  [
    `${describe(machine)}; ${wayOf(blocks)}`,
    ...figures([matmulColumns, ...rows.map(matmulCells)]),
    '',
    'ms, best: client memory to client memory, median and fastest. in process: one run of ONNX Runtime on one thread, measured in turn with the cluster.',
    "compute + transfer + idle: the providers' time; transfer is waiting for operands that compute does not hide. verify: the head's, beside them.",
    'plain JS: loops in the order i, k, j; ~ scaled from some rows.',
    '',
  ].join('\n');

function matmulCells({ n, providers, operands, share, plainJsMs, plainJsRows, ...row }: MatmulRow): string[] {
  const times = [row.ms, row.bestMs, row.inProcessMs].map(milliseconds);
  const shares = [share.compute, share.transfer, share.idle, share.verify].map(percent);
  const plain = `${plainJsRows < n ? '~' : ''}${milliseconds(plainJsMs)}`;
  return [
    String(n),
    String(providers),
    operands,
    ...times,
    `${row.speedup.toFixed(2)}x`,
    row.gflops.toFixed(0),
    ...shares,
    plain,
  ];
}

const dispatchColumns = ['mode', 'providers', 'count', 'subtasks/s', 'p50 ms', 'p99 ms'];

export const dispatchTable = ({ machine, rows }: Report<DispatchRow>): string =>
  [
    describe(machine),
    ...figures([dispatchColumns, ...rows.map(dispatchCells)]),
    '',
    'batched: 64 subtasks in a lease. unbatched: one. round trip: one, and one lease under way at each provider.',
    "p50, p99: one lease from dispatch to acceptance, by the head's clock; submit to accept: by the client's.",
    '',
  ].join('\n');

function dispatchCells({ mode, providers, count, subtasksPerSecond, p50Ms, p99Ms }: DispatchRow): string[] {
  const rate = subtasksPerSecond === null ? '-' : Math.round(subtasksPerSecond).toLocaleString('en');
  return [mode, String(providers), String(count), rate, p50Ms.toFixed(2), p99Ms.toFixed(2)];
}

export function matmulChart({ machine, blocks, rows }: MatmulReport): string {
  const sizes = [...new Set(rows.map(({ n }) => n))];
  const names = [...new Set(rows.map(caseName))];
  const series = names.map((name): BarSeries => ({
    name,
    values: sizes.map((n) => rows.find((row) => row.n === n && caseName(row) === name)?.speedup ?? null),
  }));
  return barChart({
    title: 'n x n float32 product, client memory to client memory',
    subtitle: `One thread per provider, one machine (${machine.cpu}, ${machine.cores} cores), ${wayOf(blocks)}`,
    valueAxis: 'speedup over one thread in process',
    groups: sizes.map((n) => `n = ${n}`),
    series,
    reference: { value: 1, name: 'ONNX Runtime in process, one thread' },
    format: (value) => String(Number(value.toFixed(2))),
  });
}

const caseName = ({ providers, operands }: MatmulRow): string =>
  `${plural(providers, 'provider')}, ${operands === 'sent' ? 'all sent' : 'B resident'}`;

export function dispatchChart({ machine, rows }: Report<DispatchRow>): string {
  const timed = rows.filter(({ subtasksPerSecond }) => subtasksPerSecond !== null);
  const counts = [...new Set(timed.map(({ providers }) => providers))];
  const modes = [...new Set(timed.map(({ mode }) => mode))];
  const rate = (mode: string, providers: number): number | null =>
    timed.find((row) => row.mode === mode && row.providers === providers)?.subtasksPerSecond ?? null;
  return barChart({
    title: 'Subtasks of 64 bytes, dispatched and accepted',
    subtitle: `Head and providers on one machine: ${machine.cpu}, ${machine.cores} cores`,
    valueAxis: 'subtasks per second',
    groups: modes,
    series: counts.map((providers) => ({
      name: plural(providers, 'provider'),
      values: modes.map((mode) => rate(mode, providers)),
    })),
    format: (value) => (value < 1000 ? value.toFixed(0) : `${Number((value / 1000).toFixed(value < 10_000 ? 1 : 0))}k`),
  });
}

export const wayOf = (blocks: 'auto' | 'wire'): string =>
  blocks === 'auto' ? 'operands through shared files' : 'operands through sockets';

export const describe = ({ cpu, cores, memoryBytes, node, os, date }: Machine): string =>
  `${cpu}, ${cores} cores, ${formatBytes(memoryBytes)}, node ${node}, ${os}, ${date}`;

export const milliseconds = (ms: number): string => ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0);
export const percent = (share: number): string => `${Math.round(share * 100)}%`;

/** Right-aligns columns of figures: those in which no cell below the title begins with a letter. */
export function figures(rows: readonly (readonly string[])[]): string[] {
  const [titles = [], ...cells] = rows;
  const isText = (column: number): boolean => cells.some((row) => /^[a-z]/i.test(row[column] ?? ''));
  return table(rows, new Set([...titles.keys()].filter((column) => !isText(column))));
}
