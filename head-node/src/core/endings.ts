/** The end of a task, whatever its reason. */
import type { TaskStatus, WireError } from '@muster/shared';
import type { Provider, Task } from './cluster-state.ts';
import { countEnded } from './accounts.ts';
import { addEnded } from './ended-tasks.ts';
import { discardLease } from './leases.ts';
import { log, type Turn } from './turn.ts';
import { statusOf } from './views.ts';

interface Ending {
  readonly state: 'done' | 'failed' | 'cancelled';
  readonly error: WireError | null;
}

/**
 * Frees the nodes at once; what they still deliver is stale. Results are dropped unless all are there, except the last good checkpoint of a
 * training run, from which it can be resumed.
 */
export function end(turn: Turn, task: Task, { state, error }: Ending): void {
  task.state = state;
  task.error = error;
  task.endedAtMs = turn.nowMs;
  revokeLeases(turn, task);
  const status = statusOf(turn.state, task, turn.nowMs);
  task.final = status;
  task.run = null;
  if (task.rounds !== null) task.resultBytes = checkpointBytesOf(status);
  turn.state.running.delete(task);
  turn.state.open.delete(task);
  task.tallies.clear();
  task.operands.clear();
  const endedWallMs = turn.nowMs + turn.state.wallOffsetMs;
  turn.effects.push({ type: 'append', record: { type: 'ended', task: task.id, status, endedWallMs } });
  turn.effects.push({ type: 'ended', task: task.id, status });
  if (state !== 'done' && task.rounds === null) dropResults(turn, task);
  countEnded(turn.state, task);
  addEnded(turn, task);
  log(turn, state === 'done' ? 'info' : 'warn', {
    text: `task ${task.id} ${state}${error === null ? '' : `: ${error.what}`}`,
  });
}

/** A training run keeps its checkpoint however it ends. */
export const checkpointBytesOf = ({ training }: TaskStatus): number => training?.checkpointBytes ?? 0;

function dropResults(turn: Turn, task: Task): void {
  task.outcome = null;
  task.resultBytes = 0;
  turn.effects.push({ type: 'forget', task: task.id });
}

export function revokeLeases(turn: Turn, task: Task): void {
  const bySession = new Map<string, number[]>();
  for (const id of task.leases) {
    const lease = turn.state.leases.get(id);
    if (lease === undefined) continue;
    const provider = turn.state.providers.get(lease.provider);
    if (provider !== undefined) bySession.set(provider.session, [...(bySession.get(provider.session) ?? []), id]);
    discardLease(turn, lease);
  }
  for (const [session, leases] of bySession)
    turn.effects.push({ type: 'revoke', session: session as Provider['session'], task: task.id, leases });
}
