/** Gives pending subtasks to providers with free credit, and copies late leases to idle ones. */
import type { BlockId, BlockNeed } from '@muster/shared';
import { mayHaveLease } from './accounts.ts';
import type { Lease, Provider, Running, Task } from './cluster-state.ts';
import { hasLied, isDistrusted } from './distrust.ts';
import { toRanges } from './index-ranges.ts';
import { expectedMsOf } from './lease-cost.ts';
import { ageOf, countRetry, openLease } from './leases.ts';
import { durabilityOfLease, mayMirror } from './mirror.ts';
import { subtaskState } from './subtask-states.ts';
import { readyProviders, type Turn } from './turn.ts';
import { blockKey } from './waiting-subtasks.ts';

/**
 * First serves every provider from its own queue, one lease in each round, so that none is served twice before all were served once. Then
 * providers that still have no lease take from other queues. Not earlier: operands arrive one by one, and the first node in the list would
 * snatch every tile from nodes that are as idle as itself.
 */
export function dispatch(turn: Turn): void {
  const ready = readyProviders(turn.state);
  let hungry: readonly Provider[] = ready;
  while (hungry.length > 0)
    hungry = hungry.filter((provider) => hasCredit(turn, provider) && serve(turn, provider, { steal: false }));
  for (const provider of ready) if (provider.leases.size === 0) serve(turn, provider, { steal: true });
}

/**
 * Credit is a count and a time: a node gets its next lease when what it holds will be done within `backlogMs`, so that it
 * never waits for the head and never hoards.
 */
function hasCredit({ state: { policy } }: Turn, provider: Provider): boolean {
  if (provider.leases.size >= provider.credit) return false;
  return provider.leases.size < policy.deviceLeasesMin || provider.backlogMs < policy.backlogMs;
}

/**
 * Gives this provider one lease from the task that has fewest, among equals from the least recently served. False when no task has anything
 * for it.
 */
function serve(turn: Turn, provider: Provider, { steal }: { steal: boolean }): boolean {
  const tasks = [...turn.state.running].filter(
    (task) =>
      task.run !== null && task.run.pending.size > 0 && mayMirror(turn.state, task) && mayHaveLease(turn.state, task),
  );
  if (tasks.length > 1) tasks.sort((a, b) => a.leases.size - b.leases.size);
  const served = tasks.find((task) => task.run !== null && serveFrom(turn, provider, { task, run: task.run, steal }));
  if (served === undefined) return false;
  if (tasks.length > 1) putLast(turn.state.running, served);
  return true;
}

function putLast(running: Set<Task>, task: Task): void {
  running.delete(task);
  running.add(task);
}

interface Work {
  readonly task: Task;
  readonly run: Running;
}

function serveFrom(turn: Turn, provider: Provider, { task, run, steal }: Work & { steal: boolean }): boolean {
  if (isDistrusted(turn.state, task, provider.id) || fillsWindow(turn, task, provider)) return false;
  const indices = takeFor(turn, provider, { task, run, steal });
  if (indices.length === 0) return false;
  indices.sort((a, b) => a - b);
  for (const index of indices) run.states.move(index, subtaskState.leased);
  sendLease(turn, { task, run, provider, indices });
  return true;
}

function takeFor(turn: Turn, provider: Provider, { task, run, steal }: Work & { steal: boolean }): number[] {
  const { pending, plan } = run;
  const position = positionInTeam(turn, { task, run }, provider);
  const allowed = (index: number): boolean => mayTry(turn, { task, run, provider }, index);
  if (position === null)
    return pending.takeReturned(plan.batch, (index) => isHopeless(turn, { task, run }, index) && allowed(index));
  return steal
    ? pending.steal(allowed)
    : pending.take([position, ...abandonedHomes(turn, { task, run })], plan.batch, allowed);
}

/** Queues whose owner is gone or gets no more work of this task: any node may take from them. */
const abandonedHomes = (turn: Turn, { task, run }: Work): number[] =>
  Array.from({ length: run.pending.homes }, (_, home) => home).filter((home) => {
    const owner = run.team[home];
    return owner === undefined || !servesTask(turn, task, owner);
  });

function fillsWindow({ state }: Turn, task: Task, provider: Provider): boolean {
  const window = task.type.window(task.spec);
  if (window === null) return false;
  return [...provider.leases].filter((id) => state.leases.get(id)?.task === task.id).length >= window;
}

/** The node's position; a node outside the team joins it if a member is missing. Null when the team is complete. */
function positionInTeam(turn: Turn, { task, run }: Work, { id, session, sharesStore }: Provider): number | null {
  const position = run.team.indexOf(id);
  if (position >= 0) return position;
  if (run.team.filter((member) => servesTask(turn, task, member)).length >= task.nodes) return null;
  if (!sharesStore) turn.effects.push({ type: 'open-task', session, task: task.id });
  return run.team.push(id) - 1;
}

/** Every team member that still serves the task has failed this subtask: a node outside the team may try. */
const isHopeless = (turn: Turn, { task, run }: Work, index: number): boolean =>
  run.team.every((member) => !servesTask(turn, task, member) || run.failures.get(index)?.includes(member));

const servesTask = ({ state }: Turn, task: Task, id: Provider['id']): boolean =>
  state.providers.get(id)?.phase === 'ready' && !hasLied(state, task, id);

/** Not before its back-off is over, and not on a node that has failed it while another ready node could take it. */
function mayTry(
  { state, nowMs }: Turn,
  { task, run, provider }: Work & { provider: Provider },
  index: number,
): boolean {
  if ((run.notBeforeMs.get(index) ?? 0) > nowMs) return false;
  const failed = run.failures.get(index);
  if (failed === undefined || !failed.includes(provider.id)) return true;
  return !readyProviders(state).some(({ id }) => !failed.includes(id) && !hasLied(state, task, id));
}

interface Assignment extends Work {
  readonly provider: Provider;
  readonly indices: readonly number[];
}

function sendLease(turn: Turn, { task, run, provider, indices }: Assignment): Lease {
  const durability = durabilityOfLease(task);
  const attempt = 1 + Math.max(0, ...indices.slice(0, 1).map((index) => run.failures.get(index)?.length ?? 0));
  const lease = openLease(turn, {
    task,
    provider: provider.id,
    indices,
    attempt,
    expectedMs: expectedMsOf({ task, run, indices }, provider),
    sentAtMs: durability === 'strict' ? null : turn.nowMs,
  });
  lease.fetchBytes = sendOperands(turn, { task, run, provider, indices });
  turn.effects.push({
    type: 'send-lease',
    session: provider.session,
    provider: provider.id,
    durability,
    lease: lease.id,
    attempt,
    task: task.id,
    taskType: task.type.name,
    ranges: toRanges(indices),
    work: task.type.work(task.spec, run.plan, { indices, blocks: (need) => blockId(task, need), node: provider.id }),
    payload: task.type.payload(task.spec, indices),
  });
  return lease;
}

/**
 * Accounts for the blocks that this lease makes the provider read, and shares those that several nodes need. Returns the bytes that cross
 * its link.
 */
function sendOperands(turn: Turn, { task, run, provider, indices }: Assignment): number {
  // Shared blocks count as held once they are published, although they may still be in transit; so the blocks of a round count for every
  // lease.
  let bytes = (task.rounds?.start?.blocks ?? []).reduce((sum, block) => sum + block.bytes, 0);
  for (const index of indices) {
    if (run.plan.homes.length === 0) return 0;
    for (const need of task.type.needs(task.spec, run.plan, index))
      bytes += sendBlock(turn, { task, run, provider }, need);
  }
  return provider.sharesStore ? 0 : bytes;
}

/** Beyond this the set is cleared: the only cost is that the bytes sent are overstated. */
const HOLDS_MAX = 50_000;

function sendBlock(turn: Turn, { task, run, provider }: Omit<Assignment, 'indices'>, need: BlockNeed): number {
  const id = blockId(task, need);
  if (provider.holds.has(id)) return 0;
  if (provider.holds.size >= HOLDS_MAX) provider.holds.clear();
  const bytes = task.operands.get(need.operand)?.bytes[need.block] ?? 0;
  task.bytesSent += bytes;
  const key = blockKey(need);
  if (!provider.sharesStore && run.shared.delete(key)) {
    turn.effects.push({ type: 'share-block', task: task.id, block: id });
    for (const member of run.team) markHeld(turn, member, id);
  }
  if (!provider.sharesStore && durabilityOfLease(task) !== 'local' && !run.mirrored.has(id)) {
    run.mirrored.add(id);
    turn.effects.push({ type: 'mirror-block', task: task.id, block: id });
  }
  provider.holds.add(id);
  return bytes;
}

function markHeld({ state }: Turn, member: Provider['id'], id: BlockId): void {
  const provider = state.providers.get(member);
  if (provider !== undefined && !provider.sharesStore) provider.holds.add(id);
}

function blockId(task: Task, { operand, block }: BlockNeed): BlockId {
  const id = task.operands.get(operand)?.ids[block];
  if (id === undefined) throw new Error(`task ${task.id}: block ${operand}/${block} was leased before it was bound`);
  return id;
}

/**
 * Near the end of a task an idle node gets a copy of the lease that is longest overdue; the first valid result wins. Not earlier: while
 * subtasks are pending, an idle node takes those.
 */
export function speculate(turn: Turn): void {
  for (const provider of readyProviders(turn.state)) {
    if (provider.leases.size > 0) continue;
    const late = overdue(turn, provider);
    if (late !== undefined) copyLease(turn, late, provider);
  }
}

function overdue(turn: Turn, idle: Provider): Lease | undefined {
  const { policy, leases, tasks } = turn.state;
  const isLate = (lease: Lease): boolean =>
    lease.phase === 'open' &&
    !lease.copied &&
    lease.provider !== idle.id &&
    ageOf(turn, lease) > Math.max(policy.speculateAfterMs, policy.speculateFactor * lease.expectedMs) &&
    isAtItsEnd(turn, tasks.get(lease.task), idle);
  return [...leases.values()].filter(isLate).toSorted((a, b) => ageOf(turn, b) - ageOf(turn, a))[0];
}

const isAtItsEnd = ({ state }: Turn, task: Task | undefined, { id }: Provider): boolean =>
  task?.run?.pending.size === 0 && mayMirror(state, task) && mayHaveLease(state, task) && !hasLied(state, task, id);

function copyLease(turn: Turn, lease: Lease, provider: Provider): void {
  const task = turn.state.tasks.get(lease.task);
  const run = task?.run ?? null;
  if (task === undefined || run === null || positionInTeam(turn, { task, run }, provider) === null) return;
  const indices = lease.indices.filter((index) => run.states.at(index) === subtaskState.leased);
  if (indices.length === 0) return;
  lease.copied = true;
  turn.state.counters.leasesSpeculative += 1;
  countRetry(turn, task);
  const copy = sendLease(turn, { task, run, provider, indices });
  copy.copied = true;
  run.overlapping.add(copy.id);
}
