/** The life of a lease: given, given up, taken up again, void. */
import { backoffMs, type HeldLease, type ProviderId, type SessionId } from '@muster/shared';
import { countLease, mayHaveLease } from './accounts.ts';
import type { ClusterState, Lease, Provider, Running, Task } from './cluster-state.ts';
import { isDistrusted } from './distrust.ts';
import { fromRanges } from './index-ranges.ts';
import { expectedMsOf } from './lease-cost.ts';
import { subtaskState } from './subtask-states.ts';
import { taskOf, type Turn } from './turn.ts';

export interface NewLease {
  readonly task: Task;
  readonly provider: ProviderId;
  readonly indices: readonly number[];
  readonly attempt: number;
  readonly expectedMs: number;
  readonly sentAtMs: number | null;
}

export function openLease(
  turn: Turn,
  { task, provider, indices, attempt, expectedMs, sentAtMs }: NewLease,
  id = turn.state.nextLease++,
): Lease {
  const lease: Lease = {
    id,
    task: task.id,
    indices,
    provider,
    attempt,
    givenAtMs: turn.nowMs,
    sentAtMs,
    expectedMs,
    fetchBytes: 0,
    phase: 'open',
    copied: false,
    returned: null,
    failedChecks: 0,
  };
  turn.state.leases.set(id, lease);
  task.leases.add(id);
  countLease(task, { before: null, after: 'open' });
  holdLease(turn.state.providers.get(provider), { id, expectedMs });
  turn.state.counters.leasesGiven += 1;
  return lease;
}

export function moveLease(turn: Turn, lease: Lease, phase: Lease['phase']): void {
  countLease(taskOf(turn, lease), { before: lease.phase, after: phase });
  lease.phase = phase;
}

/** How long its node has had it; 0 before it was sent. */
export const ageOf = ({ nowMs }: Turn, { sentAtMs }: Lease): number => (sentAtMs === null ? 0 : nowMs - sentAtMs);

/** Nothing to hold for a provider that is not registered: its result came by the broker and is checked at once. */
function holdLease(provider: Provider | undefined, { id, expectedMs }: { id: number; expectedMs: number }): void {
  if (provider === undefined) return;
  provider.leases.add(id);
  provider.backlogMs += expectedMs;
}

/** The lease is over for the provider: its credit is free again. */
export function freeCredit({ state }: Turn, lease: Lease): void {
  const provider = state.providers.get(lease.provider);
  if (provider?.leases.delete(lease.id) === true)
    provider.backlogMs = Math.max(0, provider.backlogMs - lease.expectedMs);
}

export function dropLease(turn: Turn, lease: Lease): void {
  freeCredit(turn, lease);
  const task = taskOf(turn, lease);
  countLease(task, { before: lease.phase, after: null });
  task?.leases.delete(lease.id);
  task?.run?.overlapping.delete(lease.id);
  turn.state.leases.delete(lease.id);
}

/** The lease's subtasks become pending again, for other nodes as well; a late result still counts. */
export function giveUpLease(turn: Turn, id: number): void {
  const lease = turn.state.leases.get(id);
  if (lease === undefined || lease.phase !== 'open') return;
  moveLease(turn, lease, 'given-up');
  returnSubtasks(turn, lease, { retry: true });
  taskOf(turn, lease)?.run?.overlapping.add(id);
}

/** The provider is back and still has the lease: the subtasks that no other node has started meanwhile are its own again. */
export function reclaimLease(turn: Turn, id: number): void {
  const lease = turn.state.leases.get(id);
  const run = lease === undefined ? null : (taskOf(turn, lease)?.run ?? null);
  if (lease === undefined || run === null || lease.phase !== 'given-up') return;
  moveLease(turn, lease, 'open');
  takePending(run, lease.indices);
}

function takePending(run: Running, indices: readonly number[]): void {
  for (const index of indices) {
    if (run.states.at(index) !== subtaskState.pending) continue;
    run.pending.discard(index);
    run.states.move(index, subtaskState.leased);
  }
}

/** No result of the lease counts any more; bytes that have arrived are discarded. */
export function voidLease(turn: Turn, lease: Lease, { retry }: { retry: boolean }): void {
  returnSubtasks(turn, lease, { retry });
  discardLease(turn, lease);
}

/** Retries after a back-off and blames no node: the cause is the wire, the broker, or the head's own full disk. */
export function retryLater(turn: Turn, lease: Lease): void {
  voidLease(turn, lease, { retry: true });
  const notBeforeMs = turn.nowMs + backoffMs(turn.state.policy.retry, 1, turn.random);
  for (const index of lease.indices) taskOf(turn, lease)?.run?.notBeforeMs.set(index, notBeforeMs);
}

export function discardLease(turn: Turn, lease: Lease): void {
  turn.effects.push({ type: 'discard', task: lease.task, lease: lease.id });
  dropLease(turn, lease);
}

/** Subtasks of the lease that no other open lease covers become pending again. `retry`: count that as a retry. */
export function returnSubtasks(turn: Turn, lease: Lease, { retry }: { retry: boolean }): void {
  const task = taskOf(turn, lease);
  const run = task?.run ?? null;
  if (task === undefined || run === null) return;
  const covered = coveredByRivals(turn.state, { task, run, lease });
  const lost = lease.indices.filter((index) => run.states.at(index) === subtaskState.leased && !covered.has(index));
  for (const index of lost) {
    run.states.move(index, subtaskState.pending);
    run.pending.giveBack(index);
  }
  if (lost.length > 0 && retry) countRetry(turn, task);
}

export function countRetry(turn: Turn, task: Task): void {
  task.retries += 1;
  turn.state.counters.leasesRetried += 1;
}

export interface LeaseOfRun {
  readonly lease: Lease;
  readonly task: Task;
  readonly run: Running;
}

/** Other leases that may have subtasks in common with this one. */
export function rivalsOf({ leases }: ClusterState, { lease, task, run }: LeaseOfRun): Lease[] {
  const candidates = run.overlapping.has(lease.id) ? task.leases : run.overlapping;
  return [...candidates].flatMap((id) => (id === lease.id ? [] : (leases.get(id) ?? [])));
}

/** Subtasks that other nodes are working on as well. */
export function coveredByRivals(state: ClusterState, context: LeaseOfRun): ReadonlySet<number> {
  const covered = new Set<number>();
  for (const { phase, indices } of rivalsOf(state, context))
    if (phase === 'open') for (const index of indices) covered.add(index);
  return covered;
}

/**
 * Takes up a lease that a provider still holds: of this session, of another, or of an earlier epoch. True when its result is wanted. One
 * that is being checked stays wanted until it is settled, because its bytes may be on the provider only.
 */
export function adoptLease(turn: Turn, provider: ProviderId, held: HeldLease): boolean {
  const task = turn.state.tasks.get(held.task);
  const run = task?.run ?? null;
  if (task === undefined || run === null || task.state !== 'running') return false;
  const known = turn.state.leases.get(held.lease);
  if (known !== undefined) return known.provider === provider;
  if (task.rounds !== null) return false;
  if (held.lease >= turn.state.nextLease || !areAscending(held.ranges, run.plan.subtasks)) return false;
  const indices = fromRanges(held.ranges);
  if (indices.some((index) => run.states.at(index) !== subtaskState.pending)) return false;
  if (!mayHold(turn, provider, { task, run, indices })) return false;
  takePending(run, indices);
  const terms = {
    attempt: held.attempt,
    expectedMs: expectedMsOf({ task, run, indices }, turn.state.providers.get(provider)),
    sentAtMs: turn.nowMs,
  };
  openLease(turn, { task, provider, indices, ...terms }, held.lease);
  return true;
}

/**
 * The rules for giving a lease hold for taking one up, too: otherwise one node could fail a subtask until its task fails, or hoard
 * subtasks.
 */
function mayHold(
  { state }: Turn,
  id: ProviderId,
  { task, run, indices }: Omit<LeaseOfRun, 'lease'> & Pick<Lease, 'indices'>,
): boolean {
  const provider = state.providers.get(id);
  if (provider !== undefined && provider.leases.size >= provider.credit) return false;
  if (isDistrusted(state, task, id) || !mayHaveLease(state, task)) return false;
  return !indices.some((index) => run.failures.get(index)?.includes(id));
}

/** Checks ranges from a provider, which are not trusted: at least one, none empty, ascending, within the task. */
function areAscending(ranges: readonly number[], subtasks: number): boolean {
  const inOrder = ranges.every(
    (bound, at) => at === 0 || bound > (ranges[at - 1] ?? 0) || (at % 2 === 0 && bound === ranges[at - 1]),
  );
  return ranges.length > 0 && ranges.length % 2 === 0 && inOrder && (ranges.at(-1) ?? 0) <= subtasks;
}

/** Null when the lease, its task or the task's run is gone. */
export function contextOf(turn: Turn, id: number): LeaseOfRun | null {
  const lease = turn.state.leases.get(id);
  const task = lease === undefined ? undefined : taskOf(turn, lease);
  return lease === undefined || task === undefined || task.run === null ? null : { lease, task, run: task.run };
}

export const sessionOf = ({ state }: Turn, { provider }: Lease): SessionId | null =>
  state.providers.get(provider)?.session ?? null;
