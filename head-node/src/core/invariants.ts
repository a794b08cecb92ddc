/** What must hold after every event; tests call this, the running head does not. */
import type { ClusterState, Task } from './cluster-state.ts';
import { subtaskState } from './subtask-states.ts';
import { isActive } from './turn.ts';

export function assertInvariants(state: ClusterState): void {
  const ready = [...state.providers.values()].filter(({ phase }) => phase === 'ready');
  must(
    state.ready === null ||
      (state.ready.length === ready.length && ready.every((provider) => state.ready?.includes(provider))),
    'the list of ready nodes is up to date',
  );
  for (const lease of state.leases.values()) {
    must(state.tasks.get(lease.task)?.leases.has(lease.id) === true, `lease ${lease.id} is in its task's list`);
    const listed = state.providers.get(lease.provider)?.leases.has(lease.id) ?? false;
    must(
      listed === (lease.phase !== 'checking'),
      `lease ${lease.id} (${lease.phase}) uses credit of its provider: ${listed}`,
    );
  }
  for (const provider of state.providers.values()) {
    must(provider.phase !== 'lost' || provider.leases.size === 0, `${provider.name} is lost and holds nothing`);
    for (const id of provider.leases) must(state.leases.has(id), `lease ${id} of ${provider.name} exists`);
  }
  for (const task of state.tasks.values()) assertTask(state, task);
  assertAccounts(state);
}

function assertAccounts(state: ClusterState): void {
  for (const account of state.accounts.values()) {
    const { user, openTasks, openBytes, keptBytes, openLeases } = account;
    const own = [...state.tasks.values()].filter((task) => task.account === account);
    const open = own.filter(isActive);
    const leases = open.flatMap((task) => [...task.leases]).filter((id) => state.leases.get(id)?.phase === 'open');
    must(openTasks === open.length, `${user} has ${open.length} open tasks, not ${openTasks}`);
    must(openBytes === heldBy(open), `open tasks of ${user} hold ${heldBy(open)} bytes, not ${openBytes}`);
    must(keptBytes === heldBy(own) - heldBy(open), `ended tasks of ${user} hold other than ${keptBytes} bytes`);
    must(openLeases === leases.length, `nodes work on ${leases.length} leases of ${user}, not on ${openLeases}`);
  }
}

function assertTask(state: ClusterState, task: Task): void {
  must(state.open.has(task) === isActive(task), `task ${task.id} is ${task.state} and listed as open`);
  must(state.ended.includes(task) === !isActive(task), `task ${task.id} is ${task.state} and listed as ended`);
  must(
    state.running.has(task) === (task.state === 'running'),
    `task ${task.id} is ${task.state} and listed as running: ${state.running.has(task)}`,
  );
  must(
    (task.run !== null) === (task.state === 'running'),
    `task ${task.id} is ${task.state} and has a run: ${task.run !== null}`,
  );
  if (task.run === null) return must(task.leases.size === 0, `task ${task.id} is ${task.state} and has no leases`);
  const { run, rounds } = task;
  must(
    rounds === null || rounds.phase === 'running' || task.leases.size === 0,
    `task ${task.id} has leases only in a round that runs, not when it is ${rounds?.phase ?? ''}`,
  );
  const covered = new Set(
    [...task.leases].flatMap((id) =>
      state.leases.get(id)?.phase === 'open' ? (state.leases.get(id)?.indices ?? []) : [],
    ),
  );
  let pending = 0;
  for (let index = 0; index < run.states.count; index += 1) {
    const at = run.states.at(index);
    if (at === subtaskState.pending) pending += 1;
    if (at === subtaskState.pending) must(!covered.has(index), `subtask ${index} is pending and nobody works on it`);
    if (at === subtaskState.leased) must(covered.has(index), `subtask ${index} is leased by an open lease`);
  }
  must(pending === run.pending.size, `${pending} subtasks are pending, ${run.pending.size} are in line`);
}

const heldBy = (tasks: readonly Task[]): number => tasks.reduce((sum, { heldBytes }) => sum + heldBytes, 0);

function must(holds: boolean, invariant: string): void {
  if (!holds) throw new Error(`invariant broken: ${invariant}`);
}
