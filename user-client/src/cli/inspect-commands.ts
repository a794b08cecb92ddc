/** `tasks ls|show|watch|result|cancel` and `nodes ls`. */
import {
  formatBytes,
  formatDuration,
  fromWireError,
  limits,
  MusterError,
  type BackboneReport,
  type NodeStatus,
  type TaskBrief,
  type TaskStatus,
  table,
  type TrainingReport,
} from '@muster/shared';
import type { ClusterClient } from '../cluster-client.ts';
import { NpyRowSink } from '../inference/npy-row-sink.ts';
import { resultShapeOf, rowShapeOf } from '../product.ts';
import { NpyResultFile } from '../results/npy-result-file.ts';
import type { TaskHandle } from '../task-handle.ts';
import { formatLink, formatRate, titleOf, unitOf } from './figures.ts';
import type { Flags } from './flags.ts';
import { followTask } from './follow.ts';
import { resolveConnection, resolveTimeoutMs } from './run-options.ts';
import { withClient, type Session } from './session.ts';
import { jsonOutcome, summaryLines } from './summary.ts';
import { figuresOf, placeOf } from './training-lines.ts';

const CONNECT_MS = 4000;

export type Command = (flags: Flags, session: Session) => Promise<void>;
export type TaskCommand = (taskId: string, flags: Flags, session: Session) => Promise<void>;

export const listTasks: Command = (flags, session) =>
  ask(flags, session, async (client) => {
    const tasks = await client.tasks();
    const cut = tasks.length === limits.tasksListed.value ? [`only the latest ${tasks.length} are listed`] : [];
    return { object: { tasks }, lines: [...taskTable(tasks), ...cut] };
  });

export const listNodes: Command = (flags, session) =>
  ask(flags, session, async (client) => {
    const { nodes, backbone } = await client.cluster();
    const cut = nodes.length === limits.nodesListed.value ? [`only ${nodes.length} are listed`] : [];
    const lines = [...nodeTable(nodes), ...cut, backboneLine(backbone)];
    return { object: { nodes: nodes.map(jsonNode), backbone }, lines };
  });

export const showTask: TaskCommand = (taskId, flags, session) =>
  ask(flags, session, async (client) => {
    const status = await client.task(taskId);
    return { object: status, lines: statusLines(status) };
  });

export const cancelTask: TaskCommand = (taskId, flags, session) =>
  ask(flags, session, async (client) => {
    await client.cancel(taskId);
    const { state } = await client.task(taskId);
    return { object: { taskId, state }, lines: [`${taskId} ${state}`] };
  });

/** Read-only: interrupting it does not cancel the task. */
export const watchTask: TaskCommand = (taskId, flags, session) =>
  ask(flags, session, async (client) => {
    const handle = await client.attach(taskId);
    return report(client, handle, { flags, session, out: undefined });
  });

export const fetchResult: TaskCommand = (taskId, flags, session) => {
  const { out } = flags;
  if (out === undefined) {
    throw new MusterError('USAGE', '--out is missing', {
      why: 'a result needs a file to go to',
      fix: `user-client tasks result ${taskId} --out C.npy`,
    });
  }
  return ask(flags, session, async (client) => {
    const status = await client.task(taskId);
    if (status.task === 'train') return fetchTrained(client, status, out);
    checkDone(status);
    return fetchTiles(client, status, { flags, session, out });
  });
};

async function fetchTiles(
  client: ClusterClient,
  status: TaskStatus,
  { flags, session, out }: Reporting & { readonly out: string },
): Promise<Said> {
  const { sink, attach } = resultFile(client, status, out);
  try {
    return await report(client, await attach(), { flags, session, out });
  } finally {
    sink.discard();
  }
}

function resultFile(
  client: ClusterClient,
  status: TaskStatus,
  out: string,
): { readonly sink: NpyResultFile | NpyRowSink; readonly attach: () => Promise<TaskHandle> } {
  if (status.task === 'infer') {
    const { rows, output } = rowShapeOf(status);
    const sink = new NpyRowSink(out, rows, output);
    return { sink, attach: () => client.attachRows(status.taskId, sink) };
  }
  const sink = new NpyResultFile(out, resultShapeOf(status));
  return { sink, attach: () => client.attach(status.taskId, sink) };
}

/** The latest checkpoint, whatever state the run is in. */
async function fetchTrained(
  client: ClusterClient,
  { taskId, state, training }: TaskStatus,
  out: string,
): Promise<Said> {
  await client.checkpoint(taskId, out);
  const step = training?.checkpointStep ?? 0;
  return { object: { taskId, state, checkpointStep: step, out }, lines: [out] };
}

interface Said {
  readonly object: object;
  readonly lines: readonly string[];
}

export async function ask(
  flags: Flags,
  session: Session,
  act: (client: ClusterClient) => Promise<Said>,
): Promise<void> {
  const timeoutMs = resolveTimeoutMs(flags);
  const connection = { ...resolveConnection(flags), connectTimeoutMs: Math.min(timeoutMs ?? CONNECT_MS, CONNECT_MS) };
  const { object, lines } = await withClient(connection, session, act);
  if (flags.json === true) session.terminal.data(JSON.stringify(object));
  else lines.forEach(session.terminal.data);
}

interface Reporting {
  readonly flags: Flags;
  readonly session: Session;
  readonly out: string | undefined;
}

async function report(client: ClusterClient, handle: TaskHandle, { flags, session, out }: Reporting): Promise<Said> {
  const timeoutMs = resolveTimeoutMs(flags);
  const { terminal } = session;
  const following = followTask({ client, handle, terminal, terms: null });
  const timer =
    timeoutMs === undefined ? undefined : setTimeout(() => handle.fail(lookedLongEnough(handle, timeoutMs)), timeoutMs);
  try {
    const outcome = { status: await following, elapsedMs: null, out };
    summaryLines(outcome).forEach(terminal.note);
    return { object: jsonOutcome(outcome), lines: out === undefined ? [] : [out] };
  } finally {
    clearTimeout(timer);
  }
}

const lookedLongEnough = ({ taskId }: TaskHandle, timeoutMs: number): MusterError =>
  new MusterError('TIMEOUT', `task ${taskId} did not end within ${formatDuration(timeoutMs)}`, {
    why: 'it goes on without this command',
    fix: `user-client tasks watch ${taskId} --timeout 10m`,
  });

function checkDone({ taskId, state, acceptedTiles, tiles, error }: TaskStatus): void {
  if (state === 'done') return;
  if (error !== null) throw fromWireError(error);
  throw new MusterError('TASK_NOT_DONE', `task ${taskId} has no result`, {
    why: `it is ${state}, ${acceptedTiles} of ${tiles} tiles are done`,
    fix: state === 'cancelled' ? 'submit it again' : `user-client tasks watch ${taskId}`,
  });
}

function taskTable(tasks: readonly TaskBrief[]): string[] {
  const rows = tasks.map((task) => [
    task.taskId,
    task.state,
    titleOf(task),
    task.task === 'train' ? '' : `${task.acceptedTiles}/${task.tiles} ${unitOf(task)}s`,
    formatDuration(task.wallMs),
  ]);
  return table([['TASK', 'STATE', 'WHAT', 'DONE', 'TIME'], ...rows], new Set([3, 4]));
}

/** `gflops` is the node's float32 rate; `rates` has those of all types. */
const jsonNode = ({ gflops, ...node }: NodeStatus): object => ({ ...node, gflops: gflops.float32, rates: gflops });

function nodeTable(nodes: readonly NodeStatus[]): string[] {
  const rows = nodes.map((node) => [
    node.id,
    node.name,
    node.reason === '' ? node.state : `${node.state} (${node.reason})`,
    `${node.device} ${node.label}`,
    formatRate(node.gflops.float32, 'float32'),
    formatBytes(node.memoryBytes),
    linkOf(node),
    String(node.running),
    String(node.accepted),
  ]);
  return table(
    [['NODE', 'NAME', 'STATE', 'DEVICE', 'FLOAT32', 'MEMORY', 'LINK', 'RUNNING', 'DONE'], ...rows],
    new Set([4, 5, 6, 7, 8]),
  );
}

function linkOf({ sharesStore, linkBytesPerMs }: NodeStatus): string {
  if (sharesStore) return 'files';
  return linkBytesPerMs === 0 ? '' : formatLink(linkBytesPerMs);
}

function backboneLine(backbone: BackboneReport): string {
  const { state, reason, outboxMessages, outboxBytes, lagMs, muteQueues, dead } = backbone;
  const why = reason === '' ? '' : ` (${reason})`;
  const parts = [`backbone: ${state}${why}`];
  if (outboxMessages > 0)
    parts.push(`${outboxMessages} messages (${formatBytes(outboxBytes)}) waiting since ${formatDuration(lagMs)}`);
  if (muteQueues > 0) parts.push(`queues that confirm nothing: ${muteQueues}`);
  if (dead > 0) parts.push(`messages in the queue dead: ${dead}`);
  return parts.join(', ');
}

function doneOf(status: TaskStatus): string {
  if (status.training !== null) return placeOf(status.training).join(', ');
  const { acceptedTiles, tiles, verifiedTiles, rejectedTiles } = status;
  return `${acceptedTiles}/${tiles} ${unitOf(status)}s, ${verifiedTiles} checked, ${rejectedTiles} rejected`;
}

function trainingRows(training: TrainingReport): string[] {
  const { checkpointStep, checkpointBytes, weightsSha256 } = training;
  const saved = checkpointBytes > 0 ? `step ${checkpointStep}, ${formatBytes(checkpointBytes)}` : 'none yet';
  const hash = weightsSha256 === '' ? [] : [`hash:  sha256 ${weightsSha256}`];
  return [`model: ${figuresOf(training).join(', ')}`, `saved: ${saved}`, ...hash];
}

function statusLines(status: TaskStatus): string[] {
  const lines = [`task:  ${status.taskId}`, `what:  ${titleOf(status)}`, `state: ${status.state}`];
  lines.push(`done:  ${doneOf(status)}`);
  lines.push(`time:  ${formatDuration(status.wallMs)}`);
  if (status.gflops > 0) lines.push(`rate:  ${formatRate(status.gflops, status.dtype)}`);
  if (status.training !== null) lines.push(...trainingRows(status.training));
  lines.push(`kept:  ${status.durability}`);
  if (status.error !== null) lines.push(`error: ${status.error.what} (${status.error.code})`);
  const rows = status.nodes.map(({ id, name, device, subtasks, state }) => [
    'node: ',
    id,
    name,
    device,
    `${subtasks} done`,
    state,
  ]);
  return [...lines, ...table(rows)];
}
