/** Results that are wrong, failed or overdue: counted, and their subtasks retried. */
import { backoffMs, formatDuration, MusterError, toWireError, type WireError } from '@muster/shared';
import type { Provider } from './cluster-state.ts';
import { end } from './endings.ts';
import type { HeadEvent } from './events.ts';
import { deadlineMsOf } from './lease-cost.ts';
import {
  ageOf,
  contextOf,
  countRetry,
  coveredByRivals,
  discardLease,
  retryLater,
  sessionOf,
  voidLease,
  type LeaseOfRun,
} from './leases.ts';
import { bySession, heard, nameOf } from './providers.ts';
import { subtaskState } from './subtask-states.ts';
import { tallyOf } from './tallies.ts';
import { log, type Turn } from './turn.ts';

function doAgain(turn: Turn, context: LeaseOfRun): void {
  const { lease, task, run } = context;
  const covered = coveredByRivals(turn.state, context);
  for (const index of lease.indices) {
    if (run.states.at(index) !== subtaskState.checking) continue;
    run.states.move(index, covered.has(index) ? subtaskState.leased : subtaskState.pending);
    if (!covered.has(index)) run.pending.giveBack(index);
  }
  turn.effects.push({ type: 'settle', session: sessionOf(turn, lease), task: task.id, lease: lease.id });
  discardLease(turn, lease);
}

/** A wrong result: counted against the node, and its subtasks retried. */
export function reject(turn: Turn, context: LeaseOfRun, why: string): void {
  const { lease, task } = context;
  const provider = turn.state.providers.get(lease.provider);
  task.rejected += 1;
  turn.state.counters.resultsRejected += 1;
  countLie(turn, context);
  if (provider !== undefined) provider.rejected += 1;
  log(turn, 'warn', {
    text: `wrong result from ${nameOf(turn, lease.provider)} rejected: ${why}`,
    node: provider ?? null,
  });
  doAgain(turn, context);
  blame(turn, context, { error: rejected(nameOf(turn, lease.provider), why), backoff: false });
}

/** Emits `quarantined` once for each node and task, when the limit is reached. */
function countLie({ state, effects }: Turn, { lease, task }: LeaseOfRun): void {
  const tally = tallyOf(task, lease.provider);
  tally.rejected += 1;
  if (tally.rejected !== state.policy.distrustAfter) return;
  const name = state.providers.get(lease.provider)?.name ?? lease.provider;
  effects.push({
    type: 'quarantined',
    provider: lease.provider,
    name,
    task: task.id,
    rejected: tally.rejected,
  });
}

const rejected = (node: string, why: string): WireError =>
  toWireError(
    new MusterError('VERIFICATION_FAILED', 'no node returned a result that passes the check', {
      why: `last from ${node}: ${why}`,
      fix: 'check the hardware of the nodes named in the log of the head',
    }),
  );

export function onFailed(turn: Turn, event: HeadEvent & { type: 'failed' }): void {
  const provider = bySession(turn, event.session);
  const context = contextOf(turn, event.lease);
  if (
    provider === undefined ||
    context === null ||
    context.lease.provider !== provider.id ||
    context.lease.phase === 'checking'
  )
    return;
  heard(turn, provider);
  log(turn, 'warn', {
    text: `${provider.name} failed a subtask: ${event.error.what} ${event.error.why}`,
    node: provider,
  });
  if (isOurDisk(provider, event.error)) retryLater(turn, context.lease);
  else fail(turn, context, event.error);
}

/** A node that writes into the head's store found no room: the head's disk is full, which is no failure of the node. */
const isOurDisk = ({ sharesStore }: Provider, { code }: WireError): boolean => sharesStore && code === 'DISK_FULL';

function fail(turn: Turn, context: LeaseOfRun, error: WireError): void {
  voidLease(turn, context.lease, { retry: true });
  blame(turn, context, { error, backoff: true });
}

interface Blame {
  readonly error: WireError;
  readonly backoff: boolean;
}

/**
 * After failures on `failNodes` different nodes, or `failTimes` in all, the task fails with the last cause: its data is taken to be the
 * reason.
 */
function blame(turn: Turn, { lease, task, run }: LeaseOfRun, { error, backoff }: Blame): void {
  const { policy } = turn.state;
  for (const index of lease.indices) {
    if (run.states.at(index) === subtaskState.accepted) continue;
    const failures = [...(run.failures.get(index) ?? []), lease.provider];
    run.failures.set(index, failures);
    if (backoff) run.notBeforeMs.set(index, turn.nowMs + backoffMs(policy.retry, failures.length, turn.random));
    if (new Set(failures).size >= policy.failNodes || failures.length >= policy.failTimes) {
      const nodes = [...new Set(failures)].map((id) => nameOf(turn, id)).join(', ');
      end(turn, task, {
        state: 'failed',
        error: {
          ...error,
          why: `subtask ${index} failed ${failures.length} times on ${nodes}: ${error.why || error.what}`,
        },
      });
      return;
    }
  }
  if (!backoff) countRetry(turn, task);
}

/** Leases past their deadline: their compute is taken to be stuck, and the provider is told to stop it. */
export function watchLeases(turn: Turn): void {
  const { policy, leases } = turn.state;
  for (const lease of leases.values()) {
    const ageMs = ageOf(turn, lease);
    if (lease.phase !== 'open' || ageMs < policy.deadlineMinMs) continue;
    const context = contextOf(turn, lease.id);
    const provider: Provider | undefined = turn.state.providers.get(lease.provider);
    if (context === null || ageMs < deadlineMsOf(turn, context)) continue;
    if (provider !== undefined)
      turn.effects.push({ type: 'revoke', session: provider.session, task: lease.task, leases: [lease.id] });
    fail(
      turn,
      context,
      toWireError(
        new MusterError('COMPUTE_FAILED', 'a subtask did not end', {
          why: `no result after ${formatDuration(ageMs)}`,
        }),
      ),
    );
  }
}
