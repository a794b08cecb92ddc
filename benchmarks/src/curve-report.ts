import { barChart } from './plot.ts';
import { describe, milliseconds, percent, figures, type Report } from './report.ts';
import type { CurveRow, WayEchoRow, WayProductRow } from './scenarios/curve.ts';

const productColumns = ['operands', 'way', 'n', 'providers', 'ms', 'best', 'in process', 'speedup', 'of plain'];
const echoColumns = ['mode', 'way', 'providers', 'count', 'subtasks/s', 'p50 ms', 'p99 ms', 'of plain'];

export function curveTable({ machine, rows }: Report<CurveRow>): string {
  return [
    describe(machine),
    ...figures([productColumns, ...rows.filter(isProduct).map(productCells)]),
    '',
    "ipc: sockets in the file system and shared files, as programs of the head's account have it. CURVE: encrypted TCP and operands through sockets,",
    'as between machines. plain: the same without keys. All on this machine, in turns; in process: one run of ONNX Runtime on one thread.',
    '',
    ...figures([echoColumns, ...rows.filter(isEcho).map(echoCells)]),
    '',
    'of plain: speed beside the same way without keys, median over rounds in which both had their turn. batched: 64 subtasks in a lease.',
    '',
  ].join('\n');
}

const isProduct = (row: CurveRow): row is WayProductRow => row.kind === 'product';
const isEcho = (row: CurveRow): row is WayEchoRow => row.kind === 'echo';
const share = (ofPlain: number | null): string => (ofPlain === null ? '-' : percent(ofPlain));

function productCells({
  operands,
  way,
  n,
  providers,
  ms,
  bestMs,
  inProcessMs,
  speedup,
  ofPlain,
}: WayProductRow): string[] {
  return [
    operands,
    way,
    String(n),
    String(providers),
    ...[ms, bestMs, inProcessMs].map(milliseconds),
    `${speedup.toFixed(2)}x`,
    share(ofPlain),
  ];
}

function echoCells({ mode, way, providers, count, subtasksPerSecond, p50Ms, p99Ms, ofPlain }: WayEchoRow): string[] {
  return [
    mode,
    way,
    String(providers),
    String(count),
    Math.round(subtasksPerSecond).toLocaleString('en'),
    p50Ms.toFixed(2),
    p99Ms.toFixed(2),
    share(ofPlain),
  ];
}

/** Chart of the largest products. */
export function curveChart({ machine, rows }: Report<CurveRow>): string {
  const products = rows.filter(isProduct);
  const n = Math.max(...products.map((row) => row.n));
  const largest = products.filter((row) => row.n === n);
  const names = [...new Set(largest.map(({ way }) => way))];
  const kinds = [...new Set(largest.map(({ operands }) => operands))];
  return barChart({
    title: `Products of n = ${n} by the way to the head`,
    subtitle: `Head and providers on one machine: ${machine.cpu}, ${machine.cores} cores`,
    valueAxis: 'speedup over one thread in process',
    groups: kinds.map((operands) => (operands === 'sent' ? 'all sent' : 'B resident')),
    series: names.map((name) => ({
      name,
      values: kinds.map((kind) => largest.find((row) => row.way === name && row.operands === kind)?.speedup ?? null),
    })),
    reference: { value: 1, name: 'ONNX Runtime in process, one thread' },
    format: (value) => String(Number(value.toFixed(2))),
  });
}
