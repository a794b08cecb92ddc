/** `audit ID`: what the head has accepted of a task, and whether journal, broker and results agree about it. */
import {
  describeError,
  formatBytes,
  isTerminal,
  MusterError,
  type AuditReport,
  type AuditRow,
  type Finding,
  table,
  plural,
} from '@muster/shared';
import { jsonError } from '@muster/shared/io';
import { ask, type TaskCommand } from './inspect-commands.ts';
import { resolveTimeoutMs } from './run-options.ts';

/** Rows printed for people; `--json` has all. */
const ROWS_MAX = 1000;
/** Enough hex digits to tell results apart. */
const DIGEST_DIGITS = 12;

export const auditTask: TaskCommand = (taskId, flags, session) =>
  ask(flags, session, async (client) => {
    const report = await client.audit(taskId, { timeoutMs: resolveTimeoutMs(flags) });
    const failure = report.problemCount > 0 ? failed(report) : null;
    if (failure !== null) {
      // The report goes to stdout even if the audit failed; the error goes to stderr.
      session.terminal.note(describeError(failure));
      process.exitCode = failure.exit;
    }
    return { object: { ...report, error: failure && jsonError(failure) }, lines: auditLines(report) };
  });

function failed({ taskId, problems, problemCount }: AuditReport): MusterError {
  return new MusterError('AUDIT_FAILED', `the audit of task ${taskId} found ${plural(problemCount, 'problem')}`, {
    why: problems[0] ?? '',
    fix: 'submit the task again, and look for what changed the disk of the head or the broker',
  });
}

export function auditLines(report: AuditReport): string[] {
  const { rows, problems, problemCount } = report;
  const shown = rows.slice(0, ROWS_MAX).map(cellsOf);
  const header = ['SUBTASK', 'REGION', 'NODE', 'ATTEMPT', 'DIGEST', 'JOURNAL', 'BROKER', 'FILE'];
  const lines = rows.length === 0 ? [] : table([header, ...shown], new Set([0, 3]));
  if (rows.length > ROWS_MAX) lines.push(`... and ${rows.length - ROWS_MAX} more rows; --json has all`);
  if (problemCount === 0) return [...lines, closingLine(report)];
  const more = problemCount > problems.length ? [`... and ${problemCount - problems.length} more`] : [];
  return [...lines, ...problems.map((problem) => `problem: ${problem}`), ...more, failingLine(report)];
}

const cellsOf = (row: AuditRow): string[] => [
  row.to === row.from + 1 ? String(row.from) : `${row.from}-${row.to - 1}`,
  regionText(row.region),
  row.name === '' ? '-' : row.name,
  row.attempt === 0 ? '-' : String(row.attempt),
  row.digest === '' ? '-' : row.digest.slice(0, DIGEST_DIGITS),
  findingText(row.journal),
  findingText(row.broker),
  findingText(row.file),
];

/** 'C[0:512, 512:1024]', in NumPy's slice notation. */
const regionText = ([r0, r1, c0, c1]: readonly number[]): string =>
  c1 === undefined ? '-' : `C[${r0}:${r1}, ${c0}:${c1}]`;

const findingText = (finding: Finding): string =>
  finding === 'agrees' ? 'ok' : finding === 'unread' ? '-' : finding.toUpperCase();

function closingLine({ state, accepted, subtasks, ...report }: AuditReport): string {
  const agreement = `${witnesses(report)} agree${remarks(report)}`;
  if (state === 'done') return `audit: ${accepted} of ${subtasks} accepted once; ${agreement}`;
  const progress = isTerminal(state)
    ? `the task ${state === 'failed' ? 'failed' : 'was cancelled'}`
    : `the task is ${state}`;
  return `audit: ${progress}, ${accepted} of ${subtasks} accepted once so far; ${agreement}`;
}

type Witnessed = Pick<AuditReport, 'broker' | 'files'>;

function witnesses({ broker, files }: Witnessed): string {
  const read = ['journal', ...(broker.read ? ['broker'] : []), ...(files.read > 0 ? ['results'] : [])];
  return read.length === 1 ? 'the records of the journal' : `${read.slice(0, -1).join(', ')} and ${read.at(-1)}`;
}

function remarks({ broker, files }: Witnessed): string {
  const { read, reason, missing, repeated, superseded } = broker;
  const notes = [
    ...(files.read > 0 ? [`${formatBytes(files.bytes)} of results read`] : []),
    ...(read ? [] : [`the broker was not read: ${reason}`]),
    ...(missing > 0 ? [`${missing} not in the broker`] : []),
    ...(repeated > 0 ? [`${plural(repeated, 'event')} repeated`] : []),
    ...(superseded > 0 ? [`${plural(superseded, 'event')} of before a crash superseded`] : []),
  ];
  return notes.length === 0 ? '' : ` (${notes.join('; ')})`;
}

const failingLine = ({ accepted, subtasks, problemCount }: AuditReport): string =>
  `audit: ${plural(problemCount, 'problem')}; ${accepted} of ${subtasks} accepted`;
