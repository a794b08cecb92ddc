import { barChart } from './plot.ts';
import { describe, milliseconds, percent, figures, type Report } from './report.ts';
import { BEHIND_MAX_MS, type EchoMirrorRow, type MirrorRow } from './scenarios/mirror.ts';
import type { BlocksRow } from './scenarios/mirror-blocks.ts';

const echoColumns = [
  'load',
  'durability',
  'subtasks',
  'subtasks/s',
  'p50 ms',
  'p99 ms',
  'p50 over local',
  'behind ms',
  'outbox',
  'caught up ms',
  'broker us/subtask',
];

const blocksColumns = ['operands in the broker', 'n', 'MB', 'product ms', 'confirmed MB/s', 'of them'];

export function mirrorTable({ machine, rows }: Report<MirrorRow>): string {
  const [echoes, blocks] = [rows.filter(isEcho), rows.filter(isBlocks)];
  return [
    describe(machine),
    ...figures([echoColumns, ...echoes.map(echoCells)]),
    '',
    'Leases of 64 subtasks; paced: 10,000 subtasks/s. local: ZeroMQ and journal only; mirrored: the broker beside; strict: the broker first.',
    'p50, p99: one lease from dispatch to acceptance. behind: age of the oldest message that the broker had not confirmed, at its worst.',
    `caught up: from the last acceptance to an empty outbox. A rate of a mirror that was more than ${BEHIND_MAX_MS / 1000} s behind is not told.`,
    '',
    ...figures([blocksColumns, ...blocks.map(blocksCells)]),
    '',
    'Operands over sockets. confirmed: while the product ran; of them: share of the operands, when it ended and the rest was given up.',
    '',
  ].join('\n');
}

const isEcho = (row: MirrorRow): row is EchoMirrorRow => row.kind === 'echo';
const isBlocks = (row: MirrorRow): row is BlocksRow => row.kind === 'blocks';

function echoCells(row: EchoMirrorRow): string[] {
  return [
    row.load,
    row.durability,
    String(row.count),
    row.subtasksPerSecond === null ? 'not sustained' : Math.round(row.subtasksPerSecond).toLocaleString('en'),
    row.p50Ms.toFixed(2),
    row.p99Ms.toFixed(2),
    row.durability === 'local' ? '-' : row.p50OverLocalMs.toFixed(2),
    row.worstLagMs.toFixed(0),
    String(row.worstOutbox),
    row.caughtUpMs.toFixed(0),
    row.brokerCpuUs === null ? '-' : row.brokerCpuUs.toFixed(1),
  ];
}

function blocksCells({ mirrorBlocks, n, bytes, productMs, confirmedMBps, confirmedShare }: BlocksRow): string[] {
  return [
    mirrorBlocks,
    String(n),
    (bytes / 1e6).toFixed(0),
    milliseconds(productMs),
    confirmedMBps === null ? '-' : confirmedMBps.toFixed(0),
    confirmedShare === null ? '-' : percent(confirmedShare),
  ];
}

/** Chart of the latencies under paced load; the rates differ by more than one axis can show. */
export function mirrorChart({ machine, rows }: Report<MirrorRow>): string {
  const paced = rows.filter(isEcho).filter(({ load }) => load === 'paced');
  return barChart({
    title: '10,000 subtasks/s with a broker behind the head',
    subtitle: `Everything on one machine: ${machine.cpu}, ${machine.cores} cores`,
    valueAxis: 'ms from dispatch to acceptance',
    groups: paced.map(({ durability }) => durability),
    series: [
      { name: 'p50', values: paced.map(({ p50Ms }) => p50Ms) },
      { name: 'p99', values: paced.map(({ p99Ms }) => p99Ms) },
    ],
    format: (value) => String(Number(value.toFixed(2))),
  });
}
