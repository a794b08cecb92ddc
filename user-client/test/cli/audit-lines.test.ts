import { describe, expect, test } from '@jest/globals';
import type { AuditReport, AuditRow } from '@muster/shared';
import { auditLines } from '../../src/cli/audit-command.ts';

const row = (from: number, change: Partial<AuditRow> = {}): AuditRow => ({
  from,
  to: from + 1,
  region: [0, 512, 512 * from, 512 * (from + 1)],
  node: '1111111111111111',
  name: 'node-1',
  attempt: 1,
  bytes: 2 ** 20,
  digest: '0123456789abcdef0123456789abcdef',
  journal: 'agrees',
  broker: 'agrees',
  file: 'agrees',
  ...change,
});

const report = (change: Partial<AuditReport> = {}): AuditReport => ({
  taskId: '00000000000000aa',
  state: 'done',
  task: 'matrix_mult',
  subtasks: 2,
  accepted: 2,
  problems: [],
  problemCount: 0,
  broker: { read: true, reason: '', missing: 0, repeated: 0, superseded: 0 },
  files: { read: 2, bytes: 2 * 2 ** 20 },
  rows: [row(0), row(1, { attempt: 2 })],
  ...change,
});

describe('what a person reads of an audit', () => {
  test('is a line for each subtask, and that all agree', () => {
    expect(auditLines(report())).toEqual([
      'SUBTASK  REGION              NODE    ATTEMPT  DIGEST        JOURNAL  BROKER  FILE',
      '      0  C[0:512, 0:512]     node-1        1  0123456789ab  ok       ok      ok',
      '      1  C[0:512, 512:1024]  node-1        2  0123456789ab  ok       ok      ok',
      'audit: 2 of 2 accepted once; journal, broker and results agree (2.0 MiB of results read)',
    ]);
  });

  test('is why the broker was not read', () => {
    const broker = { read: false, reason: 'the head runs without a broker', missing: 0, repeated: 0, superseded: 0 };
    const echo = row(0, { to: 50, region: [], attempt: 0, bytes: 0, digest: '', broker: 'unread', file: 'unread' });
    const lines = auditLines(
      report({ broker, files: { read: 0, bytes: 0 }, rows: [echo], subtasks: 50, accepted: 50 }),
    );
    expect(lines[1]).toMatch(/^ *0-49 +- +node-1 +- +- +ok +- +-$/);
    expect(lines[2]).toBe(
      'audit: 50 of 50 accepted once; the records of the journal agree (the broker was not read: the head runs without a broker)',
    );
  });

  test('is how far a task has come that goes on', () => {
    const broker = { read: true, reason: '', missing: 1, repeated: 1, superseded: 2 };
    expect(auditLines(report({ state: 'running', accepted: 1, broker, files: { read: 0, bytes: 0 } })).at(-1)).toBe(
      'audit: the task is running, 1 of 2 accepted once so far; journal and broker agree (1 not in the broker; 1 event repeated; 2 events of before a crash superseded)',
    );
    expect(auditLines(report({ state: 'cancelled' })).at(-1)).toMatch(/^audit: the task was cancelled, 2 of 2/);
  });

  test('is every problem', () => {
    const lines = auditLines(report({ problems: ['subtask 1: x', 'subtask 2: y'], problemCount: 5 }));
    expect(lines.slice(3)).toEqual([
      'problem: subtask 1: x',
      'problem: subtask 2: y',
      '... and 3 more',
      'audit: 5 problems; 2 of 2 accepted',
    ]);
  });

  test('is a thousand lines at most', () => {
    const lines = auditLines(report({ rows: Array.from({ length: 1500 }, (_, at) => row(at)) }));
    expect(lines).toHaveLength(1003);
    expect(lines.at(-2)).toBe('... and 500 more rows; --json has all');
  });
});
