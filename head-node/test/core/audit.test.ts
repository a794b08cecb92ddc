import { describe, expect, test } from '@jest/globals';
import type { AuditReport, ProviderId, TaskId, TaskPlan, TaskState, TaskStatus } from '@muster/shared';
import { audit } from '../../src/core/audit.ts';
import type { Evidence, FoundFile } from '../../src/core/audit-evidence.ts';
import { historyOf } from '../../src/core/history.ts';
import type { JournalRecord } from '../../src/core/journal-record.ts';
import { streamedHistoryOf, type StreamedRecord } from '../../src/core/streamed-records.ts';

const TASK = '00000000000000aa' as TaskId;
const ONE = '1111111111111111' as ProviderId;
const TWO = '2222222222222222' as ProviderId;
const names = new Map([
  [ONE, 'node-1'],
  [TWO, 'node-2'],
]);
const EPOCH = 3;
const SUBTASKS = 4;

const digestOf = (index: number): string => index.toString(16).padStart(32, 'd');

const begun: JournalRecord = {
  type: 'task',
  task: TASK,
  name: 'matrix_mult',
  spec: {},
  nodes: 2,
  waitNodesMs: 0,
  timeoutMs: 0,
  durability: 'mirrored',
  acceptedWallMs: 0,
};

const plan: TaskPlan = {
  subtasks: SUBTASKS,
  batch: 1,
  homes: [],
  nodes: 2,
  forecast: [],
  advice: '',
  layout: null,
};

type SubtaskRecord = JournalRecord & { readonly type: 'subtask' };

const accepted = (index: number, change: Partial<SubtaskRecord> = {}): SubtaskRecord => ({
  type: 'subtask',
  task: TASK,
  index,
  provider: index % 2 === 0 ? ONE : TWO,
  attempt: 1,
  bytes: 10,
  digest: digestOf(index),
  computeMs: 1,
  fetchMs: 1,
  ...change,
});

const inRanges = (provider: ProviderId, ...ranges: number[]): JournalRecord => ({
  type: 'subtasks',
  task: TASK,
  ranges,
  provider,
  computeMs: 1,
  fetchMs: 1,
});

const ended = (status: Partial<TaskStatus> = {}): JournalRecord => ({
  type: 'ended',
  task: TASK,
  status: { state: 'done', acceptedTiles: SUBTASKS, durability: 'mirrored', training: null, ...status } as TaskStatus,
  endedWallMs: 1,
});

const all = [0, 1, 2, 3].map((index) => accepted(index));
const whole = [...all, ended()];

interface Witnesses {
  readonly journal?: readonly JournalRecord[];
  /** As the journal, sent in this life of the head, when it is not given. */
  readonly events?: readonly JournalRecord[] | readonly StreamedRecord[];
  readonly unread?: string;
  readonly files?: ReadonlyMap<number, FoundFile | null>;
  readonly state?: TaskState;
  readonly epoch?: number;
}

const inEpoch = (epoch: number, records: readonly JournalRecord[]): StreamedRecord[] =>
  records.map((record) => ({ epoch, record }));

const isStreamed = (record: JournalRecord | StreamedRecord): record is StreamedRecord => 'record' in record;

/** In the same life of the head that wrote the journal, unless `epoch` says that it was started again since. */
function evidence({ journal = whole, events = journal, unread, files, ...rest }: Witnesses): Evidence {
  const { state = 'done', epoch = EPOCH } = rest;
  const history = historyOf([begun, { type: 'planned', task: TASK, plan }, ...journal], EPOCH);
  if (history === null) throw new Error('no history');
  const streamed = events.map((event) => (isStreamed(event) ? event : { epoch: EPOCH, record: event }));
  return {
    state,
    epoch,
    journal: history,
    broker: unread === undefined ? streamedHistoryOf([...inEpoch(EPOCH, [begun]), ...streamed]) : { unread },
    files: files ?? new Map(history.subtasks.map(({ index, bytes, digest }) => [index, { bytes, digest }])),
    nameOf: (node) => names.get(node) ?? node,
    regionOf: (index) => (history.ranges.length > 0 ? [] : [index, index + 1, 0, 8]),
  };
}

/** All steps at once. */
function whatCameOf(given: Evidence): AuditReport {
  const steps = audit(given);
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}

const auditOf = (witnesses: Witnesses): AuditReport => whatCameOf(evidence(witnesses));

describe('a task of which everything agrees', () => {
  test('is one row for each subtask, with node, attempt and digest', () => {
    const report = auditOf({});
    expect(report).toMatchObject({ subtasks: 4, accepted: 4, problems: [], problemCount: 0 });
    expect(report.files).toEqual({ read: 4, bytes: 40 });
    expect(report.broker).toEqual({ read: true, reason: '', missing: 0, repeated: 0, superseded: 0 });
    expect(report.rows).toHaveLength(4);
    expect(report.rows[1]).toEqual({
      from: 1,
      to: 2,
      region: [1, 2, 0, 8],
      node: TWO,
      name: 'node-2',
      attempt: 1,
      bytes: 10,
      digest: digestOf(1),
      journal: 'agrees',
      broker: 'agrees',
      file: 'agrees',
    });
  });

  test('is one row for what was accepted alike, where subtasks leave no bytes', () => {
    const journal = [inRanges(ONE, 0, 1, 2, 3), inRanges(ONE, 1, 2), inRanges(TWO, 3, 4), ended()];
    const { rows, problems } = auditOf({ journal });
    expect(problems).toEqual([]);
    expect(rows.map(({ from, to, name, file }) => [from, to, name, file])).toEqual([
      [0, 3, 'node-1', 'unread'],
      [3, 4, 'node-2', 'unread'],
    ]);
  });

  test('may have events twice, which are counted', () => {
    const report = auditOf({ events: [...all, ...all.slice(0, 2), ended(), ended()] });
    expect(report).toMatchObject({ problems: [], broker: { repeated: 2 } });
  });

  test('may have events of an earlier life of the head that never came to its disk', () => {
    const events = [...inEpoch(EPOCH - 1, [accepted(1, { provider: ONE, attempt: 2 })]), ...inEpoch(EPOCH, whole)];
    expect(auditOf({ events })).toMatchObject({ problems: [], broker: { superseded: 1 } });
  });

  test('may have lost a result at a restart, and have it again', () => {
    const again = accepted(1, { provider: ONE, attempt: 2 });
    const journal = [...all, { type: 'lost', task: TASK, index: 1 } as const, again, ended()];
    const events = [...inEpoch(EPOCH - 1, all), ...inEpoch(EPOCH, [all[0]!, again, ended()])];
    const report = auditOf({ journal, events });
    expect(report).toMatchObject({ problems: [], accepted: 4, broker: { repeated: 1, superseded: 1 } });
    expect(report.rows[1]).toMatchObject({ name: 'node-1', attempt: 2, journal: 'agrees', broker: 'agrees' });
  });

  test('may lack the event of its end where the head was killed behind it', () => {
    expect(auditOf({ events: all, epoch: EPOCH + 1 }).problems).toEqual([]);
    const earlier = inEpoch(EPOCH - 1, [ended({ state: 'failed' })]);
    expect(auditOf({ events: [...earlier, ...inEpoch(EPOCH, all)], epoch: EPOCH + 1 }).problems).toEqual([]);
  });

  test('may lack events where the broker was away, as its status says', () => {
    const journal = [...all, ended({ durability: 'local' })];
    const report = auditOf({ journal, events: all.slice(0, 1) });
    expect(report).toMatchObject({ problems: [], broker: { missing: 3 } });
    expect(report.rows.map(({ broker }) => broker)).toEqual(['agrees', 'missing', 'missing', 'missing']);
  });

  test('is told without the broker where there is none', () => {
    const report = auditOf({ unread: 'off' });
    expect(report).toMatchObject({ problems: [], broker: { read: false, reason: 'off' } });
    expect(report.rows.map(({ broker }) => broker)).toEqual(Array(4).fill('unread'));
  });
});

describe('a task that goes on', () => {
  test('may have gaps, and a stream that is behind or ahead', () => {
    const report = auditOf({ journal: all.slice(0, 3), events: all.slice(1), state: 'running' });
    expect(report).toMatchObject({ accepted: 3, problems: [], broker: { missing: 1 } });
    expect(report.rows).toHaveLength(3);
  });

  test('may have no plan yet', () => {
    const history = historyOf([begun], EPOCH);
    if (history === null) throw new Error('no history');
    const report = whatCameOf({ ...evidence({ events: [] }), journal: history, state: 'waiting' });
    expect(report).toMatchObject({ subtasks: 0, accepted: 0, rows: [], problems: [] });
  });

  test('may not have another event of what the journal has', () => {
    const events = [accepted(0, { provider: TWO })];
    expect(auditOf({ journal: all.slice(0, 1), events, state: 'running' }).problems).toEqual([
      expect.stringMatching(/^subtask 0: the journal has node-1 attempt 1 .*, the broker has node-2 attempt 1/),
    ]);
  });
});

test('a task that failed has no results to show', () => {
  const journal = [...all.slice(0, 2), ended({ state: 'failed', acceptedTiles: 2 })];
  const report = auditOf({ journal, events: all.slice(0, 1), state: 'failed', files: new Map() });
  expect(report).toMatchObject({ accepted: 2, problems: [], broker: { missing: 1 }, files: { read: 0 } });
});

describe('what is wrong is named', () => {
  const found = (index: number, change: FoundFile | null): Map<number, FoundFile | null> =>
    new Map([...all.map((record): [number, FoundFile] => [record.index, record]), [index, change]]);

  test.each<[string, Witnesses, RegExp]>([
    ['a subtask that was not accepted', { journal: [...all.slice(1), ended()] }, /^subtask 0: not accepted/],
    [
      'subtasks at the end that were not accepted',
      { journal: [...all.slice(0, 2), ended()] },
      /^subtasks 2 to 3: not accepted/,
    ],
    [
      'a subtask that was accepted twice',
      { journal: [...all, accepted(2, { provider: TWO, attempt: 2 }), ended()], unread: 'off' },
      /^subtask 2: accepted twice in the journal, from node-1 attempt 1 .* and from node-2 attempt 2/,
    ],
    ['the same acceptance twice', { journal: [...all, all[2]!, ended()], unread: 'off' }, /^subtask 2: accepted twice/],
    [
      'a subtask that the plan has not',
      { journal: [...all, accepted(4), ended({ acceptedTiles: 5 })] },
      /^subtask 4: accepted from node-1 .*the plan has only 4$/,
    ],
    [
      'a missing event',
      { events: [...all.slice(0, 3), ended()] },
      /^subtask 3: accepted from node-2 attempt 1 with 10 bytes d+3, and the broker has no event of it$/,
    ],
    ['a missing event of the end', { events: all }, /^the task is done, and the broker has no event of its end$/],
    [
      'another end',
      { events: [...all, ended({ state: 'failed' })] },
      /^the task is done, and the broker has it as failed$/,
    ],
    [
      'an event of another try',
      { events: [...all.slice(1), accepted(0, { attempt: 2 }), ended()] },
      /^subtask 0: the journal has node-1 attempt 1 .*, the broker has node-1 attempt 2/,
    ],
    [
      'a second event of another result',
      { events: [...whole, accepted(0, { digest: digestOf(7) })] },
      /^subtask 0: the journal has .* with 10 bytes d+0, the broker has .* with 10 bytes d+7$/,
    ],
    [
      'an event that the journal has not',
      { journal: [...all.slice(0, 3), ended({ acceptedTiles: 3 })], events: whole },
      /^subtask 3: the broker has it as accepted from node-2 .*, the journal has not$/,
    ],
    [
      'a result file with other bytes',
      { files: found(2, { bytes: 10, digest: digestOf(9) }) },
      /^subtask 2: its result file has 10 bytes d+9, and the journal has node-1 attempt 1 with 10 bytes d+2$/,
    ],
    ['a result file that is gone', { files: found(1, null) }, /^subtask 1: its result file is gone, and the journal/],
    [
      'an end that was never written',
      { journal: all, events: all },
      /^the task is done, and the journal has not its end$/,
    ],
    [
      'an end of another kind',
      { journal: [...all, ended({ state: 'failed' })] },
      /^the task is done, and the journal has it as failed$/,
    ],
    [
      'an end with another number of subtasks',
      { journal: [...all, ended({ acceptedTiles: 7 })] },
      /^the task ended with 7 accepted subtasks, and the journal has 4$/,
    ],
  ])('%s', (_what, witnesses, words) => {
    const report = auditOf(witnesses);
    expect(report.problems).toContainEqual(expect.stringMatching(words));
    expect(report.problemCount).toBe(report.problems.length);
  });

  test('also when the head was started again since', () => {
    const events = [...all, accepted(1, { provider: ONE }), accepted(SUBTASKS), ended({ state: 'failed' })];
    const problems = [
      expect.stringMatching(/^subtask 1: the journal has node-2 .*, the broker has node-1/),
      expect.stringMatching(/^subtask 4: the broker has it as accepted from node-1 .*, the journal has not$/),
      'the task is done, and the broker has it as failed',
    ];
    for (const epoch of [EPOCH, EPOCH + 1, EPOCH + 5])
      expect(auditOf({ events, epoch })).toMatchObject({ problems, broker: { superseded: 0 } });
  });

  test('and its row says where', () => {
    const events = [...all.slice(0, 3), ended()];
    const report = auditOf({ events, journal: [...whole, all[0]!], files: found(2, null) });
    expect(report.rows.map(({ journal, broker, file }) => [journal, broker, file])).toEqual([
      ['twice', 'agrees', 'agrees'],
      ['agrees', 'agrees', 'agrees'],
      ['agrees', 'agrees', 'missing'],
      ['agrees', 'missing', 'agrees'],
    ]);
  });

  test('among ten thousand, in steps', () => {
    const journal = Array.from({ length: 10_000 }, (_, at) => inRanges(at % 2 === 0 ? ONE : TWO, 2 * at, 2 * at + 1));
    const steps = audit(evidence({ journal, state: 'running' }));
    expect(Array.from({ length: 20 }, () => steps.next().done)).toEqual(Array(20).fill(false));
    expect(steps.next().done).toBe(true);
  });

  test('a hundred times, and counted beyond', () => {
    const files = new Map(all.map(({ index }) => [index, null]));
    const journal = Array.from({ length: 150 }, (_, index) => accepted(index + SUBTASKS));
    const report = auditOf({ journal: [...all, ...journal, ended()], files });
    expect(report.problems).toHaveLength(100);
    expect(report.problemCount).toBe(150 + 4 + 1);
  });
});
