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
 * First everybody from the queue that was cut for it, round by round, one lease each, so that nobody is served twice before
 * everybody was served once. Then who still has nothing takes from others: never earlier, because operands arrive one by one
 * and the first node in the list would snatch every tile from nodes that are as idle as itself.
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
 * One lease for this provider from the task that has fewest, among equals the one that was not served for longest; false when
 * no task has anything for it.
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

/** Queues whose owner is not there, or gets nothing any more: anybody's. */
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

/** A node outside the team steps in for a member that is not there (any more). */
function positionInTeam(turn: Turn, { task, run }: Work, { id, session, sharesStore }: Provider): number | null {
  const position = run.team.indexOf(id);
  if (position >= 0) return position;
  if (run.team.filter((member) => servesTask(turn, task, member)).length >= task.nodes) return null;
  if (!sharesStore) turn.effects.push({ type: 'open-task', session, task: task.id });
  return run.team.push(id) - 1;
}

/** Everybody in the team has failed it: a node outside may try. */
const isHopeless = (turn: Turn, { task, run }: Work, index: number): boolean =>
  run.team.every((member) => !servesTask(turn, task, member) || run.failures.get(index)?.includes(member));

const servesTask = ({ state }: Turn, task: Task, id: Provider['id']): boolean =>
  state.providers.get(id)?.phase === 'ready' && !hasLied(state, task, id);

/** Not before its back-off is over, and on a node that has not failed it while there is one that may have it. */
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

/** Accounts for the blocks that this lease makes the provider read, and shares those that several nodes need. Bytes on its link. */
function sendOperands(turn: Turn, { task, run, provider, indices }: Assignment): number {
  // A block that is shared with all counts as held by all from then on, although it is still on its way: so with those of a round.
  let bytes = (task.rounds?.start?.blocks ?? []).reduce((sum, block) => sum + block.bytes, 0);
  for (const index of indices) {
    if (run.plan.homes.length === 0) return 0;
    for (const need of task.type.needs(task.spec, run.plan, index))
      bytes += sendBlock(turn, { task, run, provider }, need);
  }
  return provider.sharesStore ? 0 : bytes;
}

/** Forgetting what a node holds costs nothing but an account that says too much was sent. */
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
 * Near the end of a task an idle node gets a copy of the lease that is longest overdue; the first valid result wins. Not
 * earlier, because as long as anything is pending an idle node has better things to do.
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
