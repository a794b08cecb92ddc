import { limits, MusterError, type TaskId, type TaskStatus } from '@muster/shared';
import { chunkOffsets } from '../operands/put-block.ts';
import { fetchUpTo, type FetchedPiece, type ResultPiece } from '../results/fetch-result.ts';
import type { Transport } from '../transport.ts';

/** Fetching starts over each time the run writes a newer checkpoint meanwhile. */
const ATTEMPTS = 5;

/**
 * The latest checkpoint of a training run in any state: one consistent file, although a running task replaces it now and then.
 * @throws TASK_UNKNOWN, USAGE for a task of another type, BLOCK_MISSING before the first checkpoint, TASK_NOT_DONE when it changes faster
 * than it can be fetched
 */
export async function fetchCheckpoint(transport: Transport, task: TaskId): Promise<Uint8Array<ArrayBuffer>> {
  await expectTraining(transport, task);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const bytes = await fetchOnce(transport, task);
    if (bytes !== null) return bytes;
  }
  throw new MusterError('TASK_NOT_DONE', `the checkpoint of task ${task} changes faster than it can be fetched`, {
    why: `it was replaced ${ATTEMPTS} times on the way`,
    fix: `user-client tasks watch ${task}`,
  });
}

async function expectTraining({ link }: Transport, task: TaskId): Promise<void> {
  const { message } = await link.ask('show', { task });
  if (message.status.task !== 'train') throw noCheckpoint(message.status);
}

type Piece = Pick<ResultPiece, 'offset' | 'length'>;

/**
 * null when the file was replaced meanwhile. Its first chunk names its step, so all pieces are of one file if that chunk is the same
 * before and after. The status could not tell: it refers to a round, not to the file.
 */
async function fetchOnce(transport: Transport, task: TaskId): Promise<Uint8Array<ArrayBuffer> | null> {
  const fetch = (piece: Piece): Promise<FetchedPiece> => fetchUpTo(transport, { task, index: 0, scope: '', ...piece });
  const head = { offset: 0, length: limits.chunkBytesMax.value };
  const first = await fetch(head);
  const whole = new Uint8Array(checkedTotal(first.total));
  const offsets = chunkOffsets(whole.length);
  if (!fill(whole, head, first)) return null;
  const rest = await Promise.all(
    offsets.slice(1).map(async (offset) => {
      const piece = { offset, length: head.length };
      return fill(whole, piece, await fetch(piece));
    }),
  );
  if (rest.includes(false)) return null;
  const again = offsets.length > 1 ? await fetch(head) : first;
  return again.total === whole.length && Buffer.compare(again.bytes, first.bytes) === 0 ? whole : null;
}

/** False when the piece is of a file of another length. */
function fill(whole: Uint8Array, { offset, length }: Piece, { bytes, total }: FetchedPiece): boolean {
  if (total !== whole.length || bytes.length !== Math.min(length, whole.length - offset)) return false;
  whole.set(bytes, offset);
  return true;
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
