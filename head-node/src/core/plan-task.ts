/** Turns a plan into queues: which node may take which subtask, and which subtasks wait for which block. */
import type { NodeFacts, ProviderId, TaskPlan } from '@muster/shared';
import type { Provider, Running, Task } from './cluster-state.ts';
import { usedRates } from './learned-rates.ts';
import { PendingSubtasks } from './pending.ts';
import { subtaskState, SubtaskStates } from './subtask-states.ts';
import { blockKey, isPresent } from './waiting-subtasks.ts';

/**
 * Measured: chunk fetch on loopback 2 GB/s. A shared file is written once (4 GB/s, or 0.4 where a virtual machine must first get the memory
 * back from its host) and read by each node (17 GB/s). A node without shared files counts as on loopback until it has measured its link.
 */
const LINK_BYTES_PER_MS = { socket: 1.2e6, sharedFiles: 2e6 };

export const nodeFactsOf = ({ device, rates, sharesStore, linkBytesPerMs }: Provider): NodeFacts => ({
  gflops: usedRates(rates),
  memoryBytes: device.memoryBytes,
  linkBytesPerMs: sharesStore ? LINK_BYTES_PER_MS.sharedFiles : linkBytesPerMs || LINK_BYTES_PER_MS.socket,
});

interface Start {
  readonly team: readonly ProviderId[];
  /** Subtasks accepted in an earlier life of the head. */
  readonly accepted?: Iterable<number>;
}

export function startRun(task: Task, plan: TaskPlan, { team, accepted = [] }: Start): Running {
  const anyone = plan.homes.length === 0;
  const states = new SubtaskStates(plan.subtasks, anyone ? subtaskState.pending : subtaskState.blocked);
  for (const index of accepted) states.restore(index);
  const run: Running = {
    plan,
    team: [...team],
    states,
    pending: new PendingSubtasks(homesOf(plan), anyone ? unaccepted(states) : []),
    waiting: new Map(),
    absent: new Map(),
    shared: new Set(),
    mirrored: new Set(),
    overlapping: new Set(),
    failures: new Map(),
    notBeforeMs: new Map(),
  };
  task.run = run;
  task.outcome = { plan, kept: new Map() };
  if (!anyone) enqueueAll(task, run);
  return run;
}

/** Positions may have gaps: the planner leaves out nodes that are too slow to be of use. */
const homesOf = ({ homes }: TaskPlan): number => homes.reduce((most, home) => Math.max(most, home + 1), 0);

/** Ranges [from, to). */
function* unaccepted(states: SubtaskStates): Generator<readonly [number, number]> {
  for (let from = 0; from < states.count;) {
    const open = states.at(from) !== subtaskState.accepted;
    let to = from + 1;
    while (to < states.count && (states.at(to) !== subtaskState.accepted) === open) to += 1;
    if (open) yield [from, to];
    from = to;
  }
}

function enqueueAll(task: Task, run: Running): void {
  const consumers = new Map<string, Set<number>>();
  for (let index = 0; index < run.plan.subtasks; index += 1) {
    if (run.states.at(index) === subtaskState.accepted) continue;
    const home = run.plan.homes[index] ?? -1;
    let absent = 0;
    for (const need of task.type.needs(task.spec, run.plan, index)) {
      const key = blockKey(need);
      consumers.set(key, (consumers.get(key) ?? new Set()).add(home));
      if (isPresent(task, need)) continue;
      absent += 1;
      const line = run.waiting.get(key);
      if (line === undefined) run.waiting.set(key, [index]);
      else line.push(index);
    }
    if (absent > 0) run.absent.set(index, absent);
    else {
      run.states.move(index, subtaskState.pending);
      run.pending.add(home, index);
    }
  }
  for (const [key, homes] of consumers) if (homes.size > 1) run.shared.add(key);
}
