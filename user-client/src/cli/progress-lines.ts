/** Renders a task's status as lines of text; pure. */
import { formatDuration, table, type NodeShare, type TaskStatus, type TrainingReport, plural } from '@muster/shared';
import { etaMs, formatElapsed, formatRate, shareDone, titleOf, unitOf } from './figures.ts';
import { figuresOf, placeOf, splitLine, trainingEtaMs } from './training-lines.ts';
import type { Colors } from './terminal.ts';

/** What is shown besides the head's status. */
export interface Moment {
  readonly elapsedMs: number;
  /** Set while too few nodes are ready. */
  readonly waiting: Waiting | null;
  /** Time since the head was last heard. */
  readonly silentMs: number;
  /** Sparkline of the loss so far, for a training run. */
  readonly curve?: string;
}

export interface Waiting {
  readonly ready: number;
  readonly wanted: number;
  readonly leftMs: number;
}

const BAR_CELLS = 20;
/** More rows would scroll the bar out of view. */
const ROWS_MAX = 16;

export const waitingLine = ({ ready, wanted, leftMs }: Waiting): string =>
  `waiting for nodes: ${ready} of ${wanted} ready (${Math.max(0, Math.ceil(leftMs / 1000))} s left)`;

/** The head sends status four times a second, but on a bad link some of it is late. */
const SILENT_MS = 3000;

/** Null while the head answers. */
export const silenceLine = ({ silentMs }: Pick<Moment, 'silentMs'>): string | null =>
  silentMs < SILENT_MS ? null : 'the head does not answer; trying on (accepted tasks go on when it is back)';

/** 'forecast: 2 nodes 9 ms, 1 node 12 ms', in the planner's order; null without a forecast. */
export function forecastLine({ forecast }: TaskStatus): string | null {
  if (forecast.length === 0) return null;
  const points = forecast.slice(0, 6).map(({ nodes, ms }) => `${plural(nodes, 'node')} ${formatDuration(ms)}`);
  return `forecast: ${points.join(', ')}`;
}

/** One line for a log. */
export function plainLine(status: TaskStatus, { elapsedMs, waiting, silentMs }: Moment): string {
  const silence = silenceLine({ silentMs });
  if (silence !== null) return silence;
  if (waiting !== null) return waitingLine(waiting);
  if (status.training !== null) return trainingPlainLine(status, status.training, elapsedMs);
  const eta = etaMs(status, elapsedMs);
  const parts = [`${status.state}: ${countOf(status)}`, `${percentOf(status)} %`];
  if (status.gflops > 0) parts.push(formatRate(status.gflops, status.dtype));
  parts.push(formatElapsed(elapsedMs));
  if (eta !== null) parts.push(`eta ${formatElapsed(eta)}`);
  return parts.join(', ');
}

function trainingPlainLine({ state }: TaskStatus, report: TrainingReport, elapsedMs: number): string {
  const eta = trainingEtaMs(report);
  const rest = [formatElapsed(elapsedMs), ...(eta === null ? [] : [`eta ${formatElapsed(eta)}`])];
  const split = splitLine(report);
  const line = `${state}: ${[...placeOf(report), ...figuresOf(report), ...rest].join(', ')}`;
  return split === null ? line : `${line}; ${split}`;
}

/** A bar and a row per node, no line longer than the terminal is wide. */
export function liveLines(
  status: TaskStatus,
  moment: Moment,
  { columns, colors }: { columns: number; colors: Colors },
): string[] {
  const head = moment.waiting === null ? headLines(status, moment, { columns, colors }) : [waitingLine(moment.waiting)];
  const rows = nodeRows(status.nodes, status);
  const shown = rows
    .slice(0, ROWS_MAX)
    .map((row, position) => toneOf(status.nodes[position], colors)(`  ${row}`.slice(0, columns - 1)));
  if (rows.length > ROWS_MAX) shown.push(colors.dim(`  and ${plural(rows.length - ROWS_MAX, 'more node')}`));
  const silence = silenceLine(moment);
  const away =
    silence === null ? [] : [colors.yellow(`${silence} ${formatElapsed(moment.silentMs)}`.slice(0, columns - 1))];
  return [titleOf(status).slice(0, columns - 1), ...head, ...away, ...shown];
}

function headLines(
  status: TaskStatus,
  moment: Moment,
  { columns, colors }: { columns: number; colors: Colors },
): string[] {
  const bar = barLine(status, moment, colors);
  if (status.training === null) return [bar];
  const figures = [...figuresOf(status.training), ...(moment.curve ? [moment.curve] : [])].join('  ');
  const split = splitLine(status.training);
  return [bar, ...[figures, ...(split === null ? [] : [split])].map((line) => line.slice(0, columns - 1))];
}

function barLine(status: TaskStatus, { elapsedMs }: Moment, colors: Colors): string {
  const filled = Math.floor(shareDone(status) * BAR_CELLS);
  const bar = colors.green('#'.repeat(filled)) + colors.dim('-'.repeat(BAR_CELLS - filled));
  const { training } = status;
  const eta = training === null ? etaMs(status, elapsedMs) : trainingEtaMs(training);
  const place = training === null ? [countOf(status)] : placeOf(training);
  const parts = [bar, `${percentOf(status)} %`.padStart(5), ...place, formatElapsed(elapsedMs)];
  if (eta !== null) parts.push(`eta ${formatElapsed(eta)}`);
  if (status.gflops > 0 && training === null) parts.push(formatRate(status.gflops, status.dtype));
  return parts.join('  ');
}

/** Columns: name, device, subtasks done, running, rate, state. */
export const nodeRows = (nodes: readonly NodeShare[], { dtype }: Pick<TaskStatus, 'dtype'>): string[] =>
  table(
    nodes.map(({ name, device, subtasks, running, gflops, state }) => [
      name,
      device,
      `${subtasks} done`,
      running > 0 ? `${running} running` : '',
      gflops > 0 ? formatRate(gflops, dtype) : '',
      state === 'ready' || state === 'busy' ? '' : state,
    ]),
    new Set([2, 4]),
  );

function toneOf(node: NodeShare | undefined, colors: Colors): (text: string) => string {
  if (node?.state === 'lost') return colors.red;
  if (node?.state === 'suspect' || node?.state === 'draining') return colors.yellow;
  return (text) => text;
}

const countOf = (status: TaskStatus): string => `${status.acceptedTiles}/${status.tiles} ${unitOf(status)}s`;
/** Rounded down: 100 % means all of it. */
const percentOf = (status: TaskStatus): number => Math.floor(100 * shareDone(status));
