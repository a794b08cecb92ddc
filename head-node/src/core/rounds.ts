/**
 * Tasks that work in rounds. The trainer opens a round and makes the blocks that it begins from; here it is cut for the nodes that are
 * ready, its subtasks are computed and checked like any others, and the trainer folds their results into the next round. So a lost node
 * costs one round at most, and a new node works from the next round on.
 */
import type { NodeFacts, ProviderId, RoundBlock, RoundStart } from '@muster/shared';
import type { Lease, Provider, Running, Task } from './cluster-state.ts';
import { hasLied } from './distrust.ts';
import { end, revokeLeases } from './endings.ts';
import type { HeadEvent } from './events.ts';
import { flopsOf } from './lease-cost.ts';
import { ageOf } from './leases.ts';
import { isMirrored } from './mirror.ts';
import { nodeFactsOf, startRun } from './plan-task.ts';
import type { Rounds } from './rounds-state.ts';
import { subtaskState } from './subtask-states.ts';
import { fastest } from './team.ts';
import { readyProviders, type Turn } from './turn.ts';

export interface RoundTask {
  readonly task: Task;
  readonly rounds: Rounds;
}

function roundTask(turn: Turn, id: Task['id']): RoundTask | null {
  const task = turn.state.tasks.get(id);
  return task === undefined || task.rounds === null || task.state !== 'running' ? null : { task, rounds: task.rounds };
}

/** A trainer that was restarted opens a round while another runs: the one that runs is void. */
export function onRoundReady(turn: Turn, { task: id, start, report }: HeadEvent & { type: 'round-ready' }): void {
  const found = roundTask(turn, id);
  if (found === null) return;
  const { task, rounds } = found;
  bringBlocks(turn, task, { blocks: start.blocks, before: rounds.start?.blocks ?? [] });
  Object.assign(rounds, { start, report, phase: 'waiting' });
  stopRound(turn, task);
  openRound(turn, found);
}

/** Retries rounds that found no node that was ready. */
export function openWaitingRounds(turn: Turn): void {
  for (const task of turn.state.running) {
    const { rounds } = task;
    if (rounds?.phase === 'waiting') openRound(turn, { task, rounds });
  }
}

/** Revokes the round's leases, and leaves an empty plan in place so that nothing more is given out before the next round. */
function stopRound(turn: Turn, task: Task): void {
  revokeLeases(turn, task);
  if (task.run !== null) startRun(task, { ...task.run.plan, subtasks: 0, homes: [] }, { team: task.run.team });
}

function openRound(turn: Turn, { task, rounds }: RoundTask): void {
  const team = teamFor(turn, task);
  if (rounds.start === null || team.length === 0) return;
  const before = new Set(task.run?.team);
  const plan = rounds.rules.plan(task.spec, rounds.start, factsOf(team, rounds));
  startRun(task, plan, { team: team.map(({ id }) => id) });
  Object.assign(rounds, { phase: 'running', openedAtMs: turn.nowMs, quorumAfterMs: null });
  for (const { id, session, sharesStore } of team)
    if (!sharesStore && !before.has(id)) turn.effects.push({ type: 'open-task', session, task: task.id });
}

/** Nodes that returned wrong results are left out as long as others are ready. */
function teamFor({ state }: Turn, task: Task): readonly Provider[] {
  const ready = readyProviders(state);
  const honest = ready.filter(({ id }) => !hasLied(state, task, id));
  return fastest(honest.length > 0 ? honest : ready, task);
}

/** The speed of a node that is new in this task: its rate for products, scaled by what the other nodes reach here relative to theirs. */
function factsOf(team: readonly Provider[], { speeds }: Rounds): NodeFacts[] {
  const known = team.filter(({ id }) => speeds.has(id));
  const reached = known.reduce((sum, { id }) => sum + (speeds.get(id) ?? 0), 0);
  const promised = known.reduce((sum, { rates }) => sum + rates.float32.used, 0);
  const ratio = promised > 0 ? reached / promised : 1;
  return team.map((provider) => {
    const facts = nodeFactsOf(provider);
    return {
      ...facts,
      gflops: { ...facts.gflops, float32: speeds.get(provider.id) ?? ratio * facts.gflops.float32 },
    };
  });
}

interface Replacement {
  readonly blocks: readonly RoundBlock[];
  readonly before: readonly RoundBlock[];
}

/** Blocks of the round before that this one does not use no longer count as held by any node. */
function bringBlocks({ state }: Turn, task: Task, { blocks, before }: Replacement): void {
  const kept = new Set(blocks.map(({ id }) => id));
  const gone = before.filter(({ id }) => !kept.has(id));
  for (const { holds } of state.providers.values()) for (const { id } of gone) holds.delete(id);
  for (const { operand, id, bytes } of blocks) task.operands.set(operand, { ids: [id], bytes: [bytes], missing: 0 });
}

/** Called whenever something was accepted. */
export function endRoundIfComplete(turn: Turn, task: Task, rounds: Rounds): void {
  if (rounds.phase === 'over') return endRun(turn, task);
  const { run } = task;
  if (rounds.phase !== 'running' || run === null) return;
  const accepted = run.states.acceptedCount;
  if (accepted === run.plan.subtasks) fold(turn, { task, rounds });
  else if (accepted >= rounds.rules.quorum(task.spec, run.plan))
    rounds.quorumAfterMs ??= turn.nowMs - rounds.openedAtMs;
}

/** Folds rounds that have their quorum and whose missing subtasks take too long. */
export function watchRounds(turn: Turn): void {
  const { policy, running } = turn.state;
  for (const task of running) {
    const { rounds } = task;
    if (rounds?.phase !== 'running' || rounds.quorumAfterMs === null) continue;
    const limitMs = Math.max(policy.roundLateMinMs, policy.roundLateFactor * rounds.quorumAfterMs);
    if (turn.nowMs - rounds.openedAtMs > limitMs) fold(turn, { task, rounds });
  }
}

function fold(turn: Turn, { task, rounds }: RoundTask): void {
  const { run } = task;
  if (run === null || rounds.start === null) return;
  const accepted = Array.from({ length: run.states.count }, (_, index) => index).filter(
    (index) => run.states.at(index) === subtaskState.accepted,
  );
  rounds.phase = 'folding';
  rounds.late += run.states.count - accepted.length;
  for (const id of task.leases) learnLateness(turn, { task, run, lease: turn.state.leases.get(id) });
  stopRound(turn, task);
  turn.effects.push({ type: 'fold', task: task.id, round: rounds.start.round, accepted });
}

export function onRoundsEnded(turn: Turn, { task: id, report }: HeadEvent & { type: 'rounds-ended' }): void {
  const found = roundTask(turn, id);
  if (found === null) return;
  Object.assign(found.rounds, { phase: 'over', report });
  endRun(turn, found.task);
}

function endRun(turn: Turn, task: Task): void {
  if (task.durable && isMirrored(turn, task)) end(turn, task, { state: 'done', error: null });
}

export function onRoundsFailed(turn: Turn, event: HeadEvent & { type: 'rounds-failed' }): void {
  const found = roundTask(turn, event.task);
  if (found === null) return;
  if (event.report !== null) found.rounds.report = event.report;
  end(turn, found.task, { state: 'failed', error: event.error });
}

/** Shorter computations are mostly noise; the rest is a moving average. */
const COMPUTE_MS_MIN = 1;
const WEIGHT = 0.2;

export function learnSpeed({ speeds }: Rounds, provider: ProviderId, { flops, computeMs }: Speed): void {
  if (computeMs < COMPUTE_MS_MIN || flops === 0) return;
  const seen = flops / computeMs / 1e6;
  const average = speeds.get(provider) ?? seen;
  speeds.set(provider, average + WEIGHT * (seen - average));
}

/** The age of an unfinished lease bounds its node's speed from above. Without this, a node that is always late would get as much again. */
export function learnLateness(turn: Turn, { task, run, lease }: LateLease): void {
  if (task.rounds === null || lease?.phase !== 'open') return;
  const ageMs = ageOf(turn, lease);
  if (ageMs <= lease.expectedMs) return;
  learnSpeed(task.rounds, lease.provider, { flops: flopsOf({ task, run, indices: lease.indices }), computeMs: ageMs });
}

interface LateLease {
  readonly task: Task;
  readonly run: Running;
  readonly lease: Lease | undefined;
}

interface Speed {
  readonly flops: number;
  readonly computeMs: number;
}

export const roundOf = ({ rounds }: Task): RoundStart['round'] => rounds?.start?.round ?? 0;
