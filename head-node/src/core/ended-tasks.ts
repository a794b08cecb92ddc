/** Ended tasks are kept within limits of age, number and bytes; the one that ended first is forgotten first. */
import { formatBytes, MusterError, toWireError, type WireError } from '@muster/shared';
import { countForgotten, excessOf } from './accounts.ts';
import type { Task } from './cluster-state.ts';
import type { HeadEvent } from './events.ts';
import { log, type Turn } from './turn.ts';

/** Keeps the list in order of their end: tasks restored from the journal arrive in another order. */
export function addEnded(turn: Turn, task: Task): void {
  const { ended, policy } = turn.state;
  const before = ended.findLastIndex(({ endedAtMs }) => (endedAtMs ?? 0) <= (task.endedAtMs ?? 0));
  ended.splice(before + 1, 0, task);
  const [oldest] = ended;
  if (ended.length > policy.endedTasksMax && oldest !== undefined) forget(turn, oldest);
}

export function ageEnded(turn: Turn): void {
  const { ended, policy } = turn.state;
  const firstToStay = ended.findIndex((task) => agedMs(turn, task) <= policy.resultTtlMs);
  for (const task of ended.slice(0, firstToStay < 0 ? ended.length : firstToStay)) forget(turn, task);
  dropOutcomes(turn);
}

/** By then what the end appended is in the journal. */
const OUTCOME_KEPT_MS = 60_000;

/** From the newest on, up to one that was surely seen here before: tasks that failed may never have had an outcome. */
function dropOutcomes(turn: Turn): void {
  const { ended } = turn.state;
  for (let at = ended.length - 1; at >= 0; at -= 1) {
    const task = ended[at];
    if (task === undefined || agedMs(turn, task) <= OUTCOME_KEPT_MS) continue;
    if (task.outcome === null && agedMs(turn, task) > 2 * OUTCOME_KEPT_MS) return;
    task.outcome = null;
  }
}

const agedMs = ({ nowMs }: Turn, { endedAtMs }: Task): number => nowMs - (endedAtMs ?? nowMs);

/**
 * Forgets ended tasks that have results, oldest first, until the results fit on the disk. Returns the error for the task that needs the
 * room if that is not enough.
 */
export function makeRoom(
  turn: Turn,
  { task: id, excessBytes }: HeadEvent & { type: 'results-too-large' },
): WireError | null {
  const excess = dropKept(turn, excessBytes, { why: 'the disk is bounded', mayGo: (task) => task.id !== id });
  return excess > 0 ? noRoom(excess) : null;
}

/** The same for a user's disk quota, when a new task of that user needs the room: only that user's results are dropped. */
export function makeRoomForUser(turn: Turn, { account }: Task): void {
  const excess = excessOf(turn.state, account);
  if (excess <= 0) return;
  dropKept(turn, excess, { why: 'its user has as much as one may have', mayGo: (task) => task.account === account });
}

interface Dropping {
  readonly why: string;
  readonly mayGo: (task: Task) => boolean;
}

/** Returns the bytes that are still too much; not positive if the results that were dropped are enough. */
function dropKept(turn: Turn, excessBytes: number, { why, mayGo }: Dropping): number {
  let excess = excessBytes;
  for (const task of turn.state.ended.filter((ended) => ended.resultBytes > 0 && mayGo(ended))) {
    if (excess <= 0) return excess;
    excess -= task.resultBytes;
    log(turn, 'info', { text: `the result of task ${task.id} is dropped before its time: ${why}` });
    forget(turn, task);
  }
  return excess;
}

function forget(turn: Turn, task: Task): void {
  const { tasks, ended } = turn.state;
  tasks.delete(task.id);
  ended.splice(ended.indexOf(task), 1);
  countForgotten(turn.state, task);
  turn.effects.push(
    { type: 'append', record: { type: 'forgotten', task: task.id } },
    { type: 'forget', task: task.id },
  );
}

const noRoom = (excessBytes: number): WireError =>
  toWireError(
    new MusterError('DISK_FULL', 'the results of open tasks do not fit on the disk of the head', {
      why: `${formatBytes(excessBytes)} are too much, and no ended task is left whose result could go`,
      fix: 'start the head with a larger --max-disk, or run fewer tasks at a time',
    }),
  );
