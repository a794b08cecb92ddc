import { limits, MusterError, type TaskId, type TaskStatus } from '@muster/shared';
import { chunkOffsets } from '../operands/put-block.ts';
import { fetchUpTo } from '../results/fetch-result.ts';
import type { Transport } from '../transport.ts';

/** Each time the run writes a newer checkpoint while this one is fetched, it begins again. */
const ATTEMPTS = 5;

/**
 * The latest checkpoint of a training run, in whatever state that is: one whole file, although a running task replaces it now and
 * then.
 * @throws TASK_UNKNOWN, USAGE for a task of another type, and what the head says when there is no checkpoint yet
 */
export async function fetchCheckpoint(transport: Transport, task: TaskId): Promise<Uint8Array<ArrayBuffer>> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await checkpointStep(transport, task);
    const bytes = await fetchOnce(transport, task);
    if (bytes !== null && (await checkpointStep(transport, task)) === before) return bytes;
  }
  throw new MusterError('TASK_NOT_DONE', `the checkpoint of task ${task} changes faster than it can be fetched`, {
    why: `it was replaced ${ATTEMPTS} times on the way`,
    fix: `user-client tasks watch ${task}`,
  });
}

async function checkpointStep({ link }: Transport, task: TaskId): Promise<number> {
  const { message } = await link.ask('show', { task });
  if (message.status.task !== 'train') throw noCheckpoint(message.status);
  return message.status.training?.checkpointStep ?? 0;
}

/** null when the file was replaced by one of another length on the way. */
async function fetchOnce(transport: Transport, task: TaskId): Promise<Uint8Array<ArrayBuffer> | null> {
  const chunk = limits.chunkBytesMax.value;
  const of = { task, index: 0, scope: '' };
  const first = await fetchUpTo(transport, { ...of, offset: 0, length: chunk });
  const whole = new Uint8Array(checkedTotal(first.total));
  whole.set(first.bytes.subarray(0, whole.length));
  const rest = chunkOffsets(whole.length).slice(1);
  const totals = await Promise.all(
    rest.map(async (offset) => {
      const length = Math.min(chunk, whole.length - offset);
      const { bytes, total } = await fetchUpTo(transport, { ...of, offset, length });
      if (bytes.length === length) whole.set(bytes, offset);
      return bytes.length === length ? total : -1;
    }),
  );
  return totals.every((total) => total === whole.length) ? whole : null;
}

function checkedTotal(total: number): number {
  if (total > 0 && total <= limits.checkpointBytesMax.value) return total;
  throw new MusterError('PROTOCOL', 'a checkpoint has an impossible length', { why: `${total} bytes` });
}

const noCheckpoint = ({ taskId, task }: TaskStatus): MusterError =>
  new MusterError('USAGE', `task ${taskId} has no checkpoint`, {
    why: `it is of type '${task}'; only training runs have one`,
    fix: 'user-client tasks ls',
  });
