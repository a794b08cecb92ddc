/**
 * Usage per user, checked against the quota. Counters are updated incrementally, because the lease count is read for every lease that is
 * given out. A task without an account (submitted by an admin or a program of the head's own account) counts against no quota.
 */
import { formatBytes, MusterError, type TaskType } from '@muster/shared';
import type { Account, ClusterState, Lease, Task } from './cluster-state.ts';
import type { Quota } from './policy.ts';

export function accountOf({ accounts }: ClusterState, user: string | null): Account | null {
  if (user === null) return null;
  const known = accounts.get(user);
  if (known !== undefined) return known;
  const fresh = { user, openTasks: 0, openBytes: 0, keptBytes: 0, openLeases: 0 };
  accounts.set(user, fresh);
  return fresh;
}

interface Request {
  readonly user: string | null;
  readonly taskType: TaskType<unknown>;
  readonly spec: unknown;
}

/** Throws QUOTA. Results of ended tasks do not count here: they are dropped when their room is needed. */
export function expectQuota({ policy: { quota }, accounts }: ClusterState, { user, taskType, spec }: Request): void {
  if (user === null) return;
  const { openTasks = 0, openBytes = 0 } = accounts.get(user) ?? {};
  if (openTasks >= quota.tasks) throw tooManyTasks(openTasks, quota);
  const bytes = bytesOf(taskType, spec);
  if (bytes > quota.bytes) throw tooLarge(bytes, quota);
  if (openBytes + bytes > quota.bytes) throw tooManyBytes(bytes, openBytes, quota);
}

export const mayHaveLease = ({ policy: { quota } }: ClusterState, { account }: Task): boolean =>
  account === null || account.openLeases < quota.leases;

export function countOpened(task: Task): void {
  if (task.account === null) return;
  task.heldBytes = bytesOf(task.type, task.spec);
  task.account.openTasks += 1;
  task.account.openBytes += task.heldBytes;
}

/** From here on the task holds only its `resultBytes`. */
export function countEnded(state: ClusterState, task: Task): void {
  if (task.account === null) return;
  task.account.openTasks -= 1;
  task.account.openBytes -= task.heldBytes;
  countKept(state, task);
}

export function countKept(state: ClusterState, task: Task): void {
  if (task.account === null) return;
  task.heldBytes = task.resultBytes;
  task.account.keptBytes += task.heldBytes;
  closeIfEmpty(state, task.account);
}

export function countForgotten(state: ClusterState, task: Task): void {
  if (task.account === null) return;
  task.account.keptBytes -= task.heldBytes;
  task.heldBytes = 0;
  closeIfEmpty(state, task.account);
}

/** Bytes by which the user exceeds the disk quota; not positive when within it, or without an account. */
export const excessOf = ({ policy: { quota } }: ClusterState, account: Account | null): number =>
  account === null ? 0 : account.openBytes + account.keptBytes - quota.bytes;

interface PhaseChange {
  /** Null for a new lease. */
  readonly before: Lease['phase'] | null;
  /** Null for a lease that is over. */
  readonly after: Lease['phase'] | null;
}

export function countLease(task: Task | undefined, { before, after }: PhaseChange): void {
  if (task === undefined || task.account === null) return;
  task.account.openLeases += Number(after === 'open') - Number(before === 'open');
}

/** Ended tasks may still refer to the deleted account, but hold nothing; the user's next task opens a new one. */
function closeIfEmpty({ accounts }: ClusterState, account: Account): void {
  const { user, openTasks, openBytes, keptBytes } = account;
  if (openTasks === 0 && openBytes + keptBytes === 0 && accounts.get(user) === account) accounts.delete(user);
}

function bytesOf(type: TaskType<unknown>, spec: unknown): number {
  let bytes = type.keptBytes(spec);
  for (const { name: operand, blocks } of type.operands(spec))
    for (let block = 0; block < blocks; block += 1) bytes += type.blockBytes(spec, { operand, block });
  return bytes;
}

const tooManyTasks = (open: number, { tasks }: Quota): MusterError =>
  new MusterError('QUOTA', 'you have as many unfinished tasks as one user may have', {
    why: `${open} of ${tasks}`,
    fix: 'wait until one ends, or user-client tasks cancel ID; an admin sets the number with head-node --max-tasks-per-user',
  });

const tooManyBytes = (bytes: number, open: number, { bytes: max }: Quota): MusterError =>
  new MusterError('QUOTA', 'the task takes more of the disk of the head than is left for you', {
    why: `operands and result are ${formatBytes(bytes)}, your other unfinished tasks have ${formatBytes(open)} of ${formatBytes(max)}`,
    fix: 'wait until others end, or make it smaller; an admin sets the size with head-node --max-disk-per-user',
  });

const tooLarge = (bytes: number, { bytes: max }: Quota): MusterError =>
  new MusterError('QUOTA', 'the task takes more of the disk of the head than one user may have', {
    why: `operands and result are ${formatBytes(bytes)}, more than ${formatBytes(max)}`,
    fix: 'make it smaller; an admin sets the size with head-node --max-disk-per-user',
  });
