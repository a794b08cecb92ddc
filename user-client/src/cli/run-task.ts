import { systemClock } from '@muster/shared';
import type { ClusterClient, TaskRequest } from '../cluster-client.ts';
import { resultShape, specOfProduct } from '../product.ts';
import { NpyResultFile } from '../results/npy-result-file.ts';
import type { TaskHandle } from '../task-handle.ts';
import { followTask } from './follow.ts';
import { openOperands } from './operands.ts';
import type { EchoRun, ProductRun, RunOptions } from './run-options.ts';
import { withClient, type Session } from './session.ts';
import { jsonOutcome, summaryLines } from './summary.ts';

type Start = (client: ClusterClient, request: TaskRequest) => Promise<TaskHandle>;

/** `user-client --task ...` */
export async function runTask(options: RunOptions, session: Session): Promise<void> {
  const { run } = options;
  if (run.task === 'echo')
    await carryOut(options, session, (client, request) => client.echo({ ...echoOf(run), ...request }));
  else await runProduct(run, options, session);
}

const echoOf = ({ count, bytes, batch, window }: EchoRun): Omit<EchoRun, 'task'> => ({ count, bytes, batch, window });

/** Files are opened, compared and made before the head hears anything: a mistake leaves nothing behind there. */
async function runProduct({ operands, grid, out }: ProductRun, options: RunOptions, session: Session): Promise<void> {
  const pair = openOperands(operands);
  let sink: NpyResultFile | undefined;
  try {
    const { a, b } = pair;
    const spec = specOfProduct({ a, b, grid });
    sink = out === undefined ? undefined : new NpyResultFile(out, resultShape(spec));
    await carryOut(options, session, (client, request) => client.multiply({ a, b, grid, sink, ...request }));
  } finally {
    sink?.discard();
    pair.close();
  }
}

async function carryOut(options: RunOptions, session: Session, start: Start): Promise<void> {
  const { connection, terms, detach } = options;
  await withClient(connection, session, async (client) => {
    const nodes = terms.nodes ?? (await client.readyNodes());
    const startMs = systemClock.nowMs();
    const handle = await start(client, { ...terms, nodes, signal: session.signal });
    if (detach) await sayDetached(client, handle, { options, session });
    else await sayOutcome(client, handle, { options, session, startMs, nodes });
  });
}

interface Told {
  readonly options: RunOptions;
  readonly session: Session;
}

async function sayOutcome(
  client: ClusterClient,
  handle: TaskHandle,
  told: Told & { startMs: number; nodes: number },
): Promise<void> {
  const { options, session, startMs, nodes } = told;
  const { terminal } = session;
  const terms = { nodes, waitNodesMs: options.terms.waitNodesMs };
  const status = await followTask({ client, handle, terminal, terms });
  const out = options.run.task === 'matrix_mult' ? options.run.out : undefined;
  const outcome = { status, elapsedMs: systemClock.nowMs() - startMs, out };
  summaryLines(outcome).forEach(terminal.note);
  if (options.json) terminal.data(JSON.stringify(jsonOutcome(outcome)));
}

/** The operands must be on the head before this process may go. */
async function sayDetached(client: ClusterClient, handle: TaskHandle, { options, session }: Told): Promise<void> {
  await Promise.race([handle.uploaded, handle.wait()]);
  const { taskId, state } = await client.task(handle.taskId);
  session.terminal.note(`task ${taskId} goes on by itself   next: user-client tasks watch ${taskId}`);
  session.terminal.data(options.json ? JSON.stringify({ taskId, state }) : taskId);
}
