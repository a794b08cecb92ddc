import { systemClock } from '@muster/shared';
import type { ClusterClient } from '../cluster-client.ts';
import type { TaskHandle } from '../task-handle.ts';
import { followTask } from './follow.ts';
import { echoJob } from './jobs/echo-job.ts';
import { inferJob } from './jobs/infer-job.ts';
import type { Job } from './jobs/job.ts';
import { productJob } from './jobs/product-job.ts';
import { trainJob } from './jobs/train-job.ts';
import type { Run, RunOptions } from './run-options.ts';
import { withClient, type Session } from './session.ts';
import { jsonOutcome, summaryLines } from './summary.ts';

/** `user-client --task ...`. Files are opened, checked and created before anything is submitted. */
export async function runTask(options: RunOptions, session: Session): Promise<void> {
  const job = await openJob(options.run);
  try {
    await carryOut(job, options, session);
  } finally {
    job.close();
  }
}

function openJob(run: Run): Job | Promise<Job> {
  switch (run.task) {
    case 'matrix_mult':
      return productJob(run);
    case 'train':
      return trainJob(run);
    case 'infer':
      return inferJob(run);
    case 'echo':
      return echoJob(run);
    default:
      return run satisfies never;
  }
}

async function carryOut(job: Job, options: RunOptions, session: Session): Promise<void> {
  const { connection, terms, detach } = options;
  await withClient(connection, session, async (client) => {
    const nodes = terms.nodes ?? (await client.readyNodes());
    const startMs = systemClock.nowMs();
    const request = { ...terms, nodes, signal: session.signal };
    const handle = await job.start({ client, request, terminal: session.terminal });
    if (detach) await sayDetached(client, handle, { options, session });
    else await sayOutcome(client, handle, { job, options, session, startMs, nodes });
  });
}

interface Told {
  readonly options: RunOptions;
  readonly session: Session;
}

async function sayOutcome(
  client: ClusterClient,
  handle: TaskHandle,
  told: Told & { job: Job; startMs: number; nodes: number },
): Promise<void> {
  const { job, options, session, startMs, nodes } = told;
  const { terminal } = session;
  const terms = { nodes, waitNodesMs: options.terms.waitNodesMs };
  const status = await followTask({ client, handle, terminal, terms });
  const written = await job.finish(client, status);
  const outcome = { status, elapsedMs: systemClock.nowMs() - startMs, ...written };
  summaryLines(outcome).forEach(terminal.note);
  if (options.json) terminal.data(JSON.stringify(jsonOutcome(outcome)));
}

/** Waits until the head has the operands: until then the task needs this process. */
async function sayDetached(client: ClusterClient, handle: TaskHandle, { options, session }: Told): Promise<void> {
  await Promise.race([handle.uploaded, handle.wait()]);
  const { taskId, state } = await client.task(handle.taskId);
  session.terminal.note(`task ${taskId} goes on by itself   next: user-client tasks watch ${taskId}`);
  session.terminal.data(options.json ? JSON.stringify({ taskId, state }) : taskId);
}
