/** What the broker's event stream has of one task: read from the task's beginning to its present end, and only this task's part is kept. */
import { decode, type Logger, type TaskId } from '@muster/shared';
import type { Backbone, Delivery, Since } from '@muster/rabbitmq';
import type { JournalRecord } from '../core/journal-record.ts';
import { streamedHistoryOf, type StreamedHistory, type StreamedRecord } from '../core/streamed-records.ts';
import { unseal } from './sealed-value.ts';

export interface EventSource {
  readonly backbone: Backbone;
  readonly logger: Logger;
}

/** The broker is there, or this is no time to ask it. */
const REACH_MS = 5000;

/** Clocks of head and broker differ by less. */
const SKEW_MAX_MS = 3_600_000;

export interface Period {
  readonly task: TaskId;
  readonly acceptedWallMs: number;
}

/**
 * The stream holds gigabytes of a month: what is older than the task is left out, unless the task's first record is not found then.
 * Null when the stream does not go back to the beginning of the task. BACKBONE_DOWN when the broker does not answer.
 */
export async function eventHistoryOf(
  { task, acceptedWallMs }: Period,
  source: EventSource,
): Promise<StreamedHistory | null> {
  const recent = await readEvents(task, source, { sinceWallMs: acceptedWallMs - SKEW_MAX_MS });
  if (recent.history.begun) return recent.history;
  const { history, first } = await readEvents(task, source, 0);
  return history.begun || first === 0 ? history : null;
}

interface Read {
  readonly history: StreamedHistory;
  /** Offset of the first event that there is; 0 where there is none. */
  readonly first: number;
}

async function readEvents(task: TaskId, { backbone, logger }: EventSource, offset: number | Since): Promise<Read> {
  const records: StreamedRecord[] = [];
  let first: number | null = null;
  await backbone.drain(
    { from: { to: 'events' }, offset },
    {
      withinMs: REACH_MS,
      onDelivery: (delivery) => {
        first ??= delivery.offset;
        for (const record of recordsIn(delivery, task, logger)) records.push(record);
        delivery.ack();
      },
    },
  );
  return { history: streamedHistoryOf(records), first: first ?? 0 };
}

function recordsIn({ frames, offset }: Delivery, task: TaskId, logger: Logger): StreamedRecord[] {
  try {
    const { message, epoch, payload } = decode(frames);
    if (message.type !== 'recorded' || message.task !== task || payload === null) return [];
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    return (unseal(bytes) as JournalRecord[]).map((record) => ({ epoch, record }));
  } catch (error) {
    // What it told is missing then, and the audit says so.
    logger.warn({ error, offset }, 'an event of the broker cannot be read');
    return [];
  }
}
