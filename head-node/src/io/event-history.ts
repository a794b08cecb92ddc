/** One task's records in the broker's event stream, which is read from the task's beginning to its present end. */
import { decode, type Logger, type TaskId } from '@muster/shared';
import type { Backbone, Delivery, Since } from '@muster/rabbitmq';
import type { JournalRecord } from '../core/journal-record.ts';
import { streamedHistoryOf, type StreamedHistory, type StreamedRecord } from '../core/streamed-records.ts';
import { unseal } from './sealed-value.ts';

export interface EventSource {
  readonly backbone: Backbone;
  readonly logger: Logger;
}

/** How long the broker is waited for. */
const REACH_MS = 5000;

/** The clocks of head and broker are taken to differ by less. */
const SKEW_MAX_MS = 3_600_000;

export interface Period {
  readonly task: TaskId;
  readonly acceptedWallMs: number;
}

/**
 * The stream holds a month of records, gigabytes: what is older than the task is skipped, unless the task's first record is not found that
 * way. Null when the stream does not go back to the beginning of the task. Rejects with BACKBONE_DOWN when the broker does not answer.
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
    // The audit reports its records as missing.
    logger.warn({ error, offset }, 'an event of the broker cannot be read');
    return [];
  }
}
