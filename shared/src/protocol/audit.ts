/** What an audit of a task finds, as it travels from head to client. */
import { z } from 'zod';
import { taskStatus } from './status.ts';
import { whole } from './numbers.ts';

/**
 * Of one witness about one accepted subtask.
 * agrees   it tells the same as the journal (the journal itself: accepted exactly once)
 * missing  it has nothing of it
 * differs  it tells something else
 * twice    accepted more than once
 * unread   not asked, or there is nothing that it could tell
 */
export const findings = ['agrees', 'missing', 'differs', 'twice', 'unread'] as const;
export type Finding = (typeof findings)[number];
const finding = z.enum(findings);

/** Subtasks [from, to): one, or as many in a row as were accepted alike and left no bytes. */
export const auditRow = z.object({
  from: whole,
  to: whole,
  /** [row from, row to, column from, column to) in the result; empty where the subtask has no place in it. */
  region: z.array(whole).max(4),
  /** '' where nothing was accepted. */
  node: z.string(),
  name: z.string(),
  /** 1 for the first lease of the subtask; 0 where it was not written down. */
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
  /** The first 100, in words. */
  problems: z.array(z.string()).max(100),
  problemCount: whole,
  broker: z.object({
    read: z.boolean(),
    /** Why it was not read. */
    reason: z.string(),
    /** Subtasks that it has not got: a task under way, or one that ended while the broker was away. */
    missing: whole,
    /** Records that came a second time, alike: sent again after a connection was lost. */
    repeated: whole,
    /** Records of an earlier life of the head, which a crash kept out of its journal. */
    superseded: whole,
  }),
  files: z.object({ read: whole, bytes: whole }),
});
export type AuditSummary = z.infer<typeof auditSummary>;

export type AuditReport = AuditSummary & { readonly rows: readonly AuditRow[] };
