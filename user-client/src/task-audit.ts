import {
  auditRow,
  limits,
  MusterError,
  type AuditReport,
  type AuditRow,
  type BlockId,
  type TaskId,
} from '@muster/shared';
import type { Transport } from './transport.ts';

/** A reachable head sends something at least this often, however long the audit takes. */
const SILENCE_MS = 10_000;
const LOOK_MS = 1000;

/** Audits one task: the head does the work, and its rows are fetched in pieces. Rejects with TIMEOUT, HEAD_UNREACHABLE or PROTOCOL. */
export async function auditTask(transport: Transport, task: TaskId, timeoutMs: number): Promise<AuditReport> {
  const { link } = transport;
  const scope = `audit ${task}`;
  const watch = setInterval(() => {
    if (link.silentMs > SILENCE_MS) link.drop(scope, silent());
  }, LOOK_MS);
  const deadline = setTimeout(() => link.drop(scope, late(task, timeoutMs)), timeoutMs);
  try {
    const { message } = await link.ask('audit', { task }, { scope });
    const text = await fetchText(transport, message.rows, { bytes: message.bytes, scope });
    return { ...message.summary, rows: parsed(text) };
  } finally {
    clearInterval(watch);
    clearTimeout(deadline);
  }
}

async function fetchText(
  { link }: Transport,
  block: BlockId,
  { bytes, scope }: { readonly bytes: number; readonly scope: string },
): Promise<string> {
  const whole = Buffer.alloc(bytes);
  for (let offset = 0; offset < bytes;) {
    const length = Math.min(limits.chunkBytesMax.value, bytes - offset);
    const { payload } = await link.ask('fetch', { block, offset, length }, { scope });
    if (payload?.length !== length) throw malformed(`a piece of ${payload?.length ?? 0} bytes, not ${length}`);
    whole.set(payload, offset);
    offset += length;
  }
  return whole.toString();
}

function parsed(text: string): AuditRow[] {
  const rows = auditRow.array().safeParse(JSON.parse(text));
  if (rows.success) return rows.data;
  const [issue] = rows.error.issues;
  throw malformed(`${issue?.path.join('.')}: ${issue?.message}`);
}

const malformed = (why: string): MusterError =>
  new MusterError('PROTOCOL', 'the head sent an audit that cannot be read', { why });

const silent = (): MusterError =>
  new MusterError('HEAD_UNREACHABLE', 'the head has stopped to answer', {
    why: `nothing was heard of it for ${SILENCE_MS / 1000} s`,
    fix: 'ask again when it is back: an audit changes nothing',
  });

const late = (task: TaskId, timeoutMs: number): MusterError =>
  new MusterError('TIMEOUT', `the audit of task ${task} did not end within ${timeoutMs / 1000} s`, {
    why: 'the head reads its journal, the event stream of the broker and every result of the task',
    fix: `user-client audit ${task} --timeout 1h`,
  });
