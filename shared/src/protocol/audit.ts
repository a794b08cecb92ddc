/** Findings of a task's audit, as they travel from head to client. */
import { z } from 'zod';
import { taskStatus } from './status.ts';
import { whole } from './numbers.ts';

/**
 * What one source (journal, broker or result file) says about one accepted subtask.
 * agrees   the same as the journal (the journal itself: accepted exactly once)
 * missing  it has no record
 * differs  it has another record
 * twice    accepted more than once
 * unread   not read, or it has nothing to compare
 */
export const findings = ['agrees', 'missing', 'differs', 'twice', 'unread'] as const;
export type Finding = (typeof findings)[number];
const finding = z.enum(findings);

/** Subtasks [from, to): one, or a run of them that were accepted alike and left no bytes. */
export const auditRow = z.object({
  from: whole,
  to: whole,
  /** [row from, row to, column from, column to) in the result; empty where the subtask has no place in it. */
  region: z.array(whole).max(4),
  /** '' where nothing was accepted. */
  node: z.string(),
  name: z.string(),
  /** 1 for the first lease of the subtask; 0 if it was not recorded. */
  attempt: whole,
  bytes: whole,
  /** BLAKE3 of the result, 32 hex digits; '' where no bytes are left. */
  digest: z.string(),
  journal: finding,
  broker: finding,
  file: finding,
});
export type AuditRow = z.infer<typeof auditRow>;

export const auditSummary = taskStatus.pick({ taskId: true, state: true, task: true }).extend({
  subtasks: whole,
  /** Subtasks that the journal has as accepted. */
  accepted: whole,
  /** The first 100 problems, as text. */
  problems: z.array(z.string()).max(100),
  problemCount: whole,
  broker: z.object({
    read: z.boolean(),
    /** Why it was not read. */
    reason: z.string(),
    /** Accepted subtasks that it has no record of: the task is under way, or ended while the broker was away. */
    missing: whole,
    /** Records found twice and identical: sent again after a connection was lost. */
    repeated: whole,
    /** Records of an earlier epoch that a crash kept out of the head's journal. */
    superseded: whole,
  }),
  files: z.object({ read: whole, bytes: whole }),
});
export type AuditSummary = z.infer<typeof auditSummary>;

export type AuditReport = AuditSummary & { readonly rows: readonly AuditRow[] };
