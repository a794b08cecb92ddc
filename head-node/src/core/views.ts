/** Status objects for people, computed from the state when asked for. */
import type { NodeShare, NodeState, NodeStatus, ProviderId, TaskBrief, TaskStatus } from '@muster/shared';
import type { ClusterState, NodeTally, Provider, Task } from './cluster-state.ts';
import { usedRates } from './learned-rates.ts';
import { durabilityOf } from './mirror.ts';

export function nodeState({ phase, leases }: Provider): NodeState {
  if (phase === 'ready') return leases.size > 0 ? 'busy' : 'ready';
  // Shown as draining: neither gets new work.
  if (phase === 'leaving') return 'draining';
  return phase === 'joining' || phase === 'resting' ? 'suspect' : phase;
}

export function nodeStatus(provider: Provider, nowMs: number): NodeStatus {
  const { id, name, reason, platform, device, rates, leases, accepted, rejected, sharesStore } = provider;
  const { linkBytesPerMs } = provider;
  return {
    id,
    name,
    state: nodeState(provider),
    reason,
    platform,
    device: device.kind,
    label: device.label,
    threads: device.threads,
    memoryBytes: device.memoryBytes,
    gflops: usedRates(rates),
    running: leases.size,
    accepted,
    rejected,
    sharesStore,
    linkBytesPerMs,
    heartbeatAgeMs: Math.max(0, nowMs - provider.lastHeardMs),
    refused: device.refused,
  };
}

export const nodeStatuses = ({ providers }: ClusterState, nowMs: number): NodeStatus[] =>
  [...providers.values()]
    .map((provider) => nodeStatus(provider, nowMs))
    .toSorted((a, b) => a.name.localeCompare(b.name));

export function statusOf(state: ClusterState, task: Task, nowMs: number): TaskStatus {
  if (task.final !== null) return task.final;
  const wallMs = (task.endedAtMs ?? nowMs) - task.acceptedAtMs;
  const flops = [...task.tallies.values()].reduce((sum, tally) => sum + tally.flops, 0);
  const plan = task.run?.plan;
  return {
    taskId: task.id,
    state: task.state,
    task: task.type.name,
    ...shapeOf(task),
    nodes: [...task.tallies].map(([id, tally]) => nodeShare(state, task, { id, tally })),
    wallMs,
    gflops: wallMs > 0 ? flops / wallMs / 1e6 : 0,
    ...progressOf(task),
    verifiedTiles: task.verified,
    rejectedTiles: task.rejected,
    retries: task.retries,
    bytesSent: task.bytesSent,
    bytesReceived: task.bytesReceived,
    verifyMs: task.verifyMs,
    forecastMs: plan?.forecast.find(({ nodes }) => nodes === plan.nodes)?.ms ?? 0,
    forecast: [...(plan?.forecast ?? [])],
    advice: plan?.advice ?? '',
    latencyMs: { p50: task.latency.quantile(0.5), p99: task.latency.quantile(0.99) },
    durability: durabilityOf(state, task),
    training: trainingOf(task),
    error: task.error,
  };
}

/** Steps for a task in rounds, subtasks for all others. */
function progressOf({ run, rounds }: Task): Pick<TaskStatus, 'tiles' | 'acceptedTiles'> {
  if (rounds !== null) return { tiles: rounds.report?.steps ?? 0, acceptedTiles: rounds.report?.step ?? 0 };
  return { tiles: run?.plan.subtasks ?? 0, acceptedTiles: run?.states.acceptedCount ?? 0 };
}

function trainingOf({ rounds }: Task): TaskStatus['training'] {
  if (rounds === null || rounds.report === null) return null;
  return { ...rounds.report, late: rounds.late };
}

function shapeOf({ type, spec }: Task): { shape: number[]; dtype: string } {
  const { shape, dtype } = type.describe(spec);
  return { shape: [...shape], dtype };
}

interface Tallied {
  readonly id: ProviderId;
  readonly tally: NodeTally;
}

function nodeShare(state: ClusterState, task: Task, { id, tally }: Tallied): NodeShare {
  const provider = state.providers.get(id);
  return {
    id,
    name: provider?.name ?? id,
    device: provider?.device.kind ?? 'unknown',
    subtasks: tally.subtasks,
    running: [...task.leases].filter((lease) => state.leases.get(lease)?.provider === id).length,
    gflops: tally.computeMs > 0 ? tally.flops / tally.computeMs / 1e6 : 0,
    computeMs: tally.computeMs,
    fetchMs: tally.fetchMs,
    state: provider === undefined ? 'lost' : nodeState(provider),
  };
}

export function briefOf({ taskId, state, task, shape, dtype, wallMs, tiles, acceptedTiles }: TaskStatus): TaskBrief {
  return { taskId, state, task, shape, dtype, wallMs, tiles, acceptedTiles };
}
