/** From submission to a terminal state. */
import { formatDuration, MusterError, toWireError, type BlockId, type TaskId, type WireError } from '@muster/shared';
import type { OperandTable, Task } from './cluster-state.ts';
import type { HeadEvent, Submission } from './events.ts';
import { LatencySample } from './latency-sample.ts';
import { accountOf, countOpened } from './accounts.ts';
import { makeRoom, makeRoomForUser } from './ended-tasks.ts';
import { end } from './endings.ts';
import { isMirrored } from './mirror.ts';
import { nodeFactsOf, startRun } from './plan-task.ts';
import { newRounds } from './rounds-state.ts';
import { endRoundIfComplete } from './rounds.ts';
import { fastest } from './team.ts';
import { isActive, readyProviders, type Turn } from './turn.ts';
import { markPresent } from './waiting-subtasks.ts';

/** Idempotent: a client repeats its submission after a reconnect. */
export function onSubmitted(turn: Turn, event: Submission): void {
  const known = turn.state.tasks.get(event.task);
  if (known !== undefined) {
    if (known.durable) turn.effects.push({ type: 'confirm', task: event.task });
    return;
  }
  const fresh = newTask(turn, event);
  turn.state.tasks.set(event.task, fresh);
  turn.state.open.add(fresh);
  countOpened(fresh);
  makeRoomForUser(turn, fresh);
  const acceptedWallMs = turn.nowMs + turn.state.wallOffsetMs;
  const { task, taskType, spec, nodes, waitNodesMs, timeoutMs, durability } = event;
  turn.effects.push({
    type: 'append',
    record: {
      type: 'task',
      task,
      name: taskType.name,
      spec,
      nodes,
      waitNodesMs,
      timeoutMs,
      durability,
      acceptedWallMs,
    },
  });
  turn.effects.push({ type: 'confirm', task });
  tryStart(turn, fresh);
}

export function newTask({ state, nowMs }: Turn, event: Submission, acceptedAtMs = nowMs): Task {
  return {
    id: event.task,
    account: accountOf(state, event.user),
    type: event.taskType,
    spec: event.spec,
    nodes: event.nodes,
    waitNodesMs: event.waitNodesMs,
    timeoutMs: event.timeoutMs,
    durability: event.durability,
    mirror: 'open',
    acceptedAtMs,
    waitingSinceMs: nowMs,
    durable: false,
    state: 'accepted',
    operands: new Map(event.taskType.operands(event.spec).map(({ name, blocks }) => [name, emptyTable(blocks)])),
    run: null,
    rounds: event.taskType.rounds === null ? null : newRounds(event.taskType.rounds),
    outcome: null,
    resultBytes: 0,
    heldBytes: 0,
    leases: new Set(),
    tallies: new Map(),
    latency: new LatencySample(),
    verified: 0,
    rejected: 0,
    retries: 0,
    bytesSent: 0,
    bytesReceived: 0,
    verifyMs: 0,
    error: null,
    endedAtMs: null,
    final: null,
  };
}

const emptyTable = (blocks: number): OperandTable => ({
  ids: Array.from<BlockId | undefined>({ length: blocks }),
  bytes: [],
  missing: blocks,
});

export function onTaskDurable(turn: Turn, event: { readonly task: TaskId }): void {
  const task = turn.state.tasks.get(event.task);
  if (task === undefined || task.durable) return;
  task.durable = true;
  if (task.state === 'accepted') task.state = 'waiting';
  tryStart(turn, task);
  endIfComplete(turn, task);
}

/** A task may be worked on while its records are on the way to disk and broker, but it ends as done only when they are there. */
export function endIfComplete(turn: Turn, task: Task): void {
  if (task.rounds !== null) return endRoundIfComplete(turn, task, task.rounds);
  const complete = task.run !== null && task.run.states.acceptedCount === task.run.plan.subtasks;
  if (complete && task.durable && isMirrored(turn, task)) end(turn, task, { state: 'done', error: null });
}

/** Plans as soon as enough nodes are ready. */
export function tryStart(turn: Turn, task: Task): void {
  if ((task.state !== 'waiting' && task.state !== 'accepted') || task.run !== null) return;
  const ready = readyProviders(turn.state);
  if (ready.length < task.nodes) return;
  const team = fastest(ready, task);
  try {
    const plan = task.type.plan(task.spec, team.map(nodeFactsOf));
    turn.effects.push({ type: 'append', record: { type: 'planned', task: task.id, plan } });
    startRun(task, plan, { team: team.map(({ id }) => id) });
    turn.state.running.add(task);
    task.state = 'running';
    for (const { session, sharesStore } of team)
      if (!sharesStore) turn.effects.push({ type: 'open-task', session, task: task.id });
    announceOperands(turn, task);
  } catch (error) {
    end(turn, task, { state: 'failed', error: toWireError(error) });
  }
}

export function onBound(turn: Turn, event: HeadEvent & { type: 'bound' }): void {
  const task = turn.state.tasks.get(event.task);
  const table = task?.operands.get(event.operand);
  if (task === undefined || table === undefined || !isActive(task)) return;
  if (event.block >= table.ids.length || table.ids[event.block] !== undefined) return;
  bindBlock(table, event);
  turn.effects.push({
    type: 'append',
    record: {
      type: 'bound',
      task: task.id,
      operand: event.operand,
      block: event.block,
      id: event.id,
      bytes: event.bytes,
    },
  });
  if (task.run !== null) markPresent(task.run, { operand: event.operand, block: event.block });
  if (table.missing === 0) announceOperands(turn, task);
}

export function bindBlock(
  table: OperandTable,
  { block, id, bytes }: { block: number; id: BlockId; bytes: number },
): void {
  table.ids[block] = id;
  table.bytes[block] = bytes;
  table.missing -= 1;
}

export const operandsComplete = (task: Task): boolean =>
  [...task.operands.values()].every(({ missing }) => missing === 0);

export function announceOperands(turn: Turn, task: Task): void {
  if (task.operands.size === 0 || task.run === null || !operandsComplete(task)) return;
  const operands = new Map([...task.operands].map(([name, table]) => [name, idsOf(table)]));
  turn.effects.push({ type: 'operands-complete', task: task.id, taskType: task.type.name, spec: task.spec, operands });
}

const idsOf = ({ ids }: OperandTable): BlockId[] => ids.filter((id) => id !== undefined);

export function onCancelled(turn: Turn, event: { readonly task: TaskId }): void {
  const task = turn.state.tasks.get(event.task);
  if (task !== undefined && isActive(task))
    end(turn, task, {
      state: 'cancelled',
      error: toWireError(new MusterError('TASK_CANCELLED', 'the task was cancelled')),
    });
}

/** Fails tasks that waited too long for enough nodes, or took too long in all. */
export function watchTasks(turn: Turn): void {
  for (const task of turn.state.open) {
    if (task.state === 'waiting' && turn.nowMs - task.waitingSinceMs > task.waitNodesMs)
      end(turn, task, { state: 'failed', error: notEnoughNodes(turn, task) });
    else if (turn.nowMs - task.acceptedAtMs > task.timeoutMs)
      end(turn, task, { state: 'failed', error: timedOut(task) });
  }
}

export function onResultsTooLarge(turn: Turn, event: HeadEvent & { type: 'results-too-large' }): void {
  const error = makeRoom(turn, event);
  const task = turn.state.tasks.get(event.task);
  if (error !== null && task !== undefined && isActive(task)) end(turn, task, { state: 'failed', error });
}

function notEnoughNodes({ state }: Turn, { nodes }: Task): WireError {
  const ready = readyProviders(state).map(({ name }) => name);
  const others = [...state.providers.values()]
    .filter(({ phase }) => phase !== 'ready')
    .map(({ name, phase, reason }) => `${name} (${phase}: ${reason})`);
  return toWireError(
    new MusterError('NOT_ENOUGH_NODES', `only ${ready.length} of the ${nodes} requested nodes are ready`, {
      why: `ready: ${ready.join(', ') || 'none'}; not ready: ${others.join(', ') || 'none'}`,
      fix:
        ready.length > 0
          ? `--nodes ${ready.length}, or start another machine with provider-node --head HOST`
          : 'start a machine with provider-node --head HOST',
    }),
  );
}

const timedOut = (task: Task): WireError =>
  toWireError(
    new MusterError('TIMEOUT', `the task did not end within ${formatDuration(task.timeoutMs)}`, {
      why: `${task.run?.states.acceptedCount ?? 0} of ${task.run?.plan.subtasks ?? 0} subtasks were done`,
      fix: 'give it more time with --timeout, or more nodes',
    }),
  );
