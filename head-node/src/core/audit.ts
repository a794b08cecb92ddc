/** Compares journal, event stream and result files of one task; differences are also reported as text. */
import { isTerminal, type AuditReport, type AuditRow, type Finding } from '@muster/shared';
import { acceptancesOf, byIndex, type Acceptance } from './acceptances.ts';
import type { Evidence, Stretch } from './audit-evidence.ts';
import { AuditProblems, subtasksText } from './audit-problems.ts';
import type { TaskHistory } from './journal-record.ts';
import { BrokerWitness } from './broker-witness.ts';

/** About 1 ms of work. */
const STRETCHES_PER_STEP = 500;

/** A generator, so that the caller can return to the event loop between steps: an echo task may have 150,000 stretches. */
export function* audit(evidence: Evidence): Generator<undefined, AuditReport> {
  const { journal, files } = evidence;
  const problems = new AuditProblems(evidence.nameOf);
  const broker = new BrokerWitness(evidence, problems);
  const rows: AuditRow[] = [];
  let [accepted, seen] = [0, 0];
  for (const stretch of stretchesOf(evidence, problems)) {
    if ((seen += 1) % STRETCHES_PER_STEP === 0) yield;
    if (stretch.acceptance !== null) accepted += stretch.to - stretch.from;
    addRow(
      rows,
      rowOf(evidence, stretch, { broker: broker.finding(stretch), file: fileFinding(evidence, stretch, problems) }),
    );
  }
  broker.finish();
  checkEnd(evidence, accepted, problems);
  const found = [...files.values()].filter((file) => file !== null);
  return {
    taskId: journal.record.task,
    state: evidence.state,
    task: journal.record.name,
    subtasks: journal.plan?.subtasks ?? 0,
    accepted,
    ...problems.told(),
    broker: broker.told(),
    files: { read: found.length, bytes: found.reduce((sum, { bytes }) => sum + bytes, 0) },
    rows,
  };
}

/** Each accepted subtask once, plus the gaps if the task is done; a task that is not done may have gaps. */
function* stretchesOf({ journal, state }: Evidence, problems: AuditProblems): Generator<Stretch> {
  const subtasks = journal.plan?.subtasks ?? 0;
  const whole = state === 'done';
  let next = 0;
  let last: Acceptance | null = null;
  const all = journalled(journal);
  for (const [at, acceptance] of all.entries()) {
    const { from, to } = acceptance;
    if (whole && from > next) yield gap(next, from, problems);
    const again = last !== null && from < next;
    if (again && last !== null) problems.acceptedTwice(last, acceptance);
    if (to > subtasks) problems.beyondPlan(acceptance, subtasks);
    const twice = again || (all[at + 1]?.from ?? to) < to;
    if (to > next) yield { from: Math.max(from, next), to, acceptance, journal: twice ? 'twice' : 'agrees' };
    if (to >= next) [next, last] = [to, acceptance];
  }
  if (whole && next < subtasks) yield gap(next, subtasks, problems);
}

const journalled = ({ subtasks, ranges }: TaskHistory): Acceptance[] =>
  [...subtasks, ...ranges].flatMap(acceptancesOf).toSorted(byIndex);

function gap(from: number, to: number, problems: AuditProblems): Stretch {
  problems.add(`${subtasksText({ from, to })}: not accepted, as the journal has it`);
  return { from, to, acceptance: null, journal: 'missing' };
}

/** Results of a task that failed or was cancelled are not kept. */
function fileFinding({ files }: Evidence, { acceptance }: Stretch, problems: AuditProblems): Finding {
  const found = acceptance === null ? undefined : files.get(acceptance.from);
  if (acceptance === null || found === undefined) return 'unread';
  if (found?.bytes === acceptance.bytes && found.digest === acceptance.digest) return 'agrees';
  problems.badFile(acceptance, found);
  return found === null ? 'missing' : 'differs';
}

function checkEnd({ journal, state }: Evidence, accepted: number, problems: AuditProblems): void {
  const ended = journal.ended?.status ?? null;
  if (ended === null) {
    if (isTerminal(state)) problems.add(`the task is ${state}, and the journal has not its end`);
    return;
  }
  if (ended.state !== state) problems.add(`the task is ${state}, and the journal has it as ${ended.state}`);
  if (journal.plan === null && state === 'done') problems.add('the journal has not the plan of the task');
  const { training } = ended;
  // The subtasks of a round are not journalled one by one: what counts is that no step is missing.
  const wanted = training === null ? ended.acceptedTiles : 0;
  if (accepted !== wanted)
    problems.add(`the task ended with ${wanted} accepted subtasks, and the journal has ${accepted}`);
  if (training !== null && state === 'done' && training.step !== training.steps)
    problems.add(`the run is done, and the journal has ${training.step} of its ${training.steps} steps`);
}

type Findings = Pick<AuditRow, 'broker' | 'file'>;

function rowOf(
  { nameOf, regionOf }: Evidence,
  { from, to, acceptance, journal }: Stretch,
  findings: Findings,
): AuditRow {
  const known = acceptance ?? { provider: '', attempt: 0, bytes: 0, digest: '' };
  const name = acceptance === null ? '' : nameOf(acceptance.provider);
  const { provider: node, attempt, bytes, digest } = known;
  return { from, to, region: [...regionOf(from)], node, name, attempt, bytes, digest, journal, ...findings };
}

/** Adjacent stretches with the same node and findings and without stored bytes become one row. */
function addRow(rows: AuditRow[], row: AuditRow): void {
  const before = rows.at(-1);
  if (before === undefined || !continues(before, row)) rows.push(row);
  else rows[rows.length - 1] = { ...before, to: row.to };
}

const continues = (before: AuditRow, row: AuditRow): boolean =>
  before.to === row.from &&
  row.region.length === 0 &&
  before.node === row.node &&
  before.attempt === row.attempt &&
  before.journal === row.journal &&
  before.broker === row.broker;
