/** Results of leases: checked, and accepted once. */
import { isOperandDtype } from '@muster/shared';
import type { Lease, Provider, Running } from './cluster-state.ts';
import { end } from './endings.ts';
import type { CheckedBytes, HeadEvent, ReturnedResult } from './events.ts';
import { reject } from './failures.ts';
import { toRanges } from './index-ranges.ts';
import { learn } from './learned-rates.ts';
import { flopsOf } from './lease-cost.ts';
import {
  adoptLease,
  contextOf,
  discardLease,
  dropLease,
  freeCredit,
  moveLease,
  rivalsOf,
  sessionOf,
  voidLease,
  type LeaseOfRun,
} from './leases.ts';
import { bySession, heard } from './providers.ts';
import { learnLateness, learnSpeed, roundOf } from './rounds.ts';
import { subtaskState } from './subtask-states.ts';
import { tallyOf } from './tallies.ts';
import { announceOperands, endIfComplete } from './tasks.ts';
import { log, type Turn } from './turn.ts';

/** A late result of a lease that was given up is as good as any: the first valid one wins. */
export function onReturned(turn: Turn, event: HeadEvent & { type: 'returned' }): void {
  const provider = bySession(turn, event.session);
  const context = contextOf(turn, event.lease);
  if (provider !== undefined) heard(turn, provider);
  if (context === null) dismiss(turn, event, provider);
  else if (context.lease.provider !== provider?.id) turn.state.counters.resultsStale += 1;
  else if (context.lease.phase === 'checking') turn.state.counters.resultsDuplicate += 1;
  else check(turn, context, event);
}

/**
 * A result of a lease that is over: its bytes are discarded. Those of a live lease are never discarded on a message: a provider that
 * registered again may still deliver under its old session, and of a result that is delivered twice the first may be in its check.
 */
function dismiss(
  turn: Turn,
  { session, task, lease }: HeadEvent & { type: 'returned' },
  provider: Provider | undefined,
): void {
  turn.state.counters.resultsStale += 1;
  turn.effects.push({ type: 'discard', task, lease });
  if (provider !== undefined) turn.effects.push({ type: 'settle', session, task, lease });
}

/**
 * Mostly the second copy of a result that came directly. If it is the first, it counts like any other; a lease from an earlier epoch is
 * taken up again.
 */
export function onDelivered(turn: Turn, event: HeadEvent & { type: 'delivered' }): void {
  if (turn.state.closed.has(event.lease)) return;
  if (!adoptLease(turn, event.provider, { ...event, ranges: [...event.ranges] })) return;
  const context = contextOf(turn, event.lease);
  if (context !== null && context.lease.phase !== 'checking') check(turn, context, event);
}

function check(turn: Turn, { lease, task, run }: LeaseOfRun, returned: ReturnedResult): void {
  freeCredit(turn, lease);
  const open = lease.indices.filter((index) => isOpen(run, index));
  if (open.length === 0) {
    turn.state.counters.resultsDuplicate += 1;
    turn.effects.push({ type: 'settle', session: sessionOf(turn, lease), task: task.id, lease: lease.id });
    discardLease(turn, lease);
    return;
  }
  for (const index of open) {
    if (run.states.at(index) === subtaskState.pending) run.pending.discard(index);
    run.states.move(index, subtaskState.checking);
  }
  moveLease(turn, lease, 'checking');
  lease.returned = returned;
  task.bytesReceived += returned.bytes;
  task.latency.add(turn.nowMs - lease.givenAtMs);
  const tally = tallyOf(task, lease.provider);
  tally.computeMs += returned.computeMs;
  tally.fetchMs += returned.fetchMs;
  learnFrom(turn, { lease, task, run }, returned.computeMs);
  orderCheck(turn, { lease, task, run }, returned);
}

function orderCheck(turn: Turn, { lease, task, run }: LeaseOfRun, returned: ReturnedResult): void {
  const region = task.type.region(task.spec, run.plan, lease.indices[0] ?? 0);
  turn.effects.push({
    type: 'check',
    task: task.id,
    taskType: task.type.name,
    spec: task.spec,
    lease: lease.id,
    indices: lease.indices,
    region,
    provider: lease.provider,
    round: roundOf(task),
    layout: run.plan.layout,
    returned,
  });
}

function learnFrom({ state }: Turn, { lease, task, run }: LeaseOfRun, computeMs: number): void {
  const flops = flopsOf({ task, run, indices: lease.indices });
  if (task.rounds !== null) return learnSpeed(task.rounds, lease.provider, { flops, computeMs });
  const provider = state.providers.get(lease.provider);
  const { dtype } = task.type.describe(task.spec);
  if (provider === undefined || !isOperandDtype(dtype)) return;
  learn(provider.rates[dtype], flops, computeMs);
}

const isOpen = (run: Running, index: number): boolean => {
  const state = run.states.at(index);
  return state === subtaskState.leased || state === subtaskState.pending;
};

export function onChecked(turn: Turn, event: HeadEvent & { type: 'checked' }): void {
  const context = contextOf(turn, event.lease);
  if (context === null) return;
  const { lease, task } = context;
  task.verifyMs += event.verifyMs;
  if (!event.ok) return reject(turn, context, event.why);
  if (!leavesBytes(context)) return accept(turn, context, null);
  const { bytes, digest } = event;
  turn.effects.push({ type: 'keep', task: task.id, lease: lease.id, index: lease.indices[0] ?? 0, bytes, digest });
}

const leavesBytes = ({ lease, task, run }: LeaseOfRun): boolean =>
  task.type.region(task.spec, run.plan, lease.indices[0] ?? 0).length > 0;

/** Accepted only now: on a full disk even the rename into the store can fail. */
export function onKept(turn: Turn, event: HeadEvent & { type: 'kept' }): void {
  const context = contextOf(turn, event.lease);
  if (context?.lease.phase === 'checking') accept(turn, context, event);
}

/** Attempts for one result; within each the verifier tries up to three times when its process dies. */
const CHECKS_MAX = 3;

/** A check without a verdict is no node's fault: it is repeated, and after CHECKS_MAX attempts the task fails with the reason. */
export function onCheckFailed(turn: Turn, event: HeadEvent & { type: 'check-failed' }): void {
  const context = contextOf(turn, event.lease);
  const returned = context?.lease.returned ?? null;
  if (context === null || returned === null) return;
  const { lease, task } = context;
  lease.failedChecks += 1;
  log(turn, 'warn', { text: `a result of task ${task.id} could not be checked: ${event.error.what}` });
  if (lease.failedChecks >= CHECKS_MAX) return end(turn, task, { state: 'failed', error: event.error });
  announceOperands(turn, task);
  orderCheck(turn, context, returned);
}

/** `file`: what was stored of it; null for a task type that leaves no bytes. */
function accept(turn: Turn, context: LeaseOfRun, file: CheckedBytes | null): void {
  const { lease, task, run } = context;
  const fresh = lease.indices.filter((index) => run.states.at(index) === subtaskState.checking);
  for (const index of fresh) run.states.move(index, subtaskState.accepted);
  credit(turn, context, fresh);
  turn.effects.push({ type: 'settle', session: sessionOf(turn, lease), task: task.id, lease: lease.id });
  if (file === null) writeAccepted(turn, context, fresh);
  else writeKept(turn, context, file);
  revokeCopies(turn, context);
  dropLease(turn, lease);
  endIfComplete(turn, task);
}

function credit(turn: Turn, { lease, task, run }: LeaseOfRun, fresh: readonly number[]): void {
  const tally = tallyOf(task, lease.provider);
  tally.subtasks += fresh.length;
  tally.flops += flopsOf({ task, run, indices: fresh });
  task.verified += fresh.length;
  turn.state.counters.subtasksAccepted += fresh.length;
  const provider = turn.state.providers.get(lease.provider);
  if (provider !== undefined) provider.accepted += fresh.length;
}

/** Not for a task in rounds: an index means nothing after its round, and the trainer's checkpoints are what is kept. */
function writeAccepted(turn: Turn, { lease, task }: LeaseOfRun, fresh: readonly number[]): void {
  if (task.rounds !== null) return;
  const ranges = toRanges(fresh);
  turn.effects.push({
    type: 'append',
    record: { type: 'subtasks', task: task.id, ranges, provider: lease.provider, ...spentOn(lease) },
  });
}

/** A lease of a task that leaves bytes is one subtask. */
function writeKept(turn: Turn, { lease, task, run }: LeaseOfRun, { bytes, digest }: CheckedBytes): void {
  const index = lease.indices[0] ?? 0;
  const region = task.type.region(task.spec, run.plan, index);
  task.resultBytes += bytes;
  task.outcome?.kept.set(index, { node: lease.provider, bytes });
  turn.effects.push(
    {
      type: 'append',
      record: {
        type: 'subtask',
        task: task.id,
        index,
        provider: lease.provider,
        attempt: lease.attempt,
        bytes,
        digest,
        ...spentOn(lease),
      },
    },
    { type: 'announce', task: task.id, tile: { index, node: lease.provider, bytes, region: [...region] } },
  );
}

const spentOn = ({ returned }: Lease): Pick<ReturnedResult, 'computeMs' | 'fetchMs'> => ({
  computeMs: returned?.computeMs ?? 0,
  fetchMs: returned?.fetchMs ?? 0,
});

/** Other nodes that work on the same subtasks may stop. */
function revokeCopies(turn: Turn, context: LeaseOfRun): void {
  const { task, run } = context;
  for (const other of rivalsOf(turn.state, context)) {
    if (other.phase === 'checking') continue;
    if (other.indices.some((index) => run.states.at(index) !== subtaskState.accepted)) continue;
    learnLateness(turn, { task, run, lease: other });
    const provider = turn.state.providers.get(other.provider);
    if (provider !== undefined)
      turn.effects.push({ type: 'revoke', session: provider.session, task: task.id, leases: [other.id] });
    discardLease(turn, other);
  }
}

/** Not the node's fault, but offering the result again is of no use: the provider is told to forget it, and the work is done anew. */
export function onBytesMissing(turn: Turn, { session, task, lease: id }: HeadEvent & { type: 'bytes-missing' }): void {
  const provider = bySession(turn, session);
  if (provider === undefined) return;
  heard(turn, provider);
  const lease = turn.state.leases.get(id);
  if (lease?.phase === 'checking') return;
  turn.effects.push({ type: 'revoke', session, task, leases: [id] });
  if (lease?.provider === provider.id) voidLease(turn, lease, { retry: true });
}
