/** What the broker's event stream has of one task: read from its beginning to its present end, and only this task's part is kept. */
import { decode, type Logger, type TaskId } from '@muster/shared';
import type { Backbone, Delivery } from '@muster/rabbitmq';
import type { JournalRecord } from '../core/journal-record.ts';
import { streamedHistoryOf, type StreamedHistory, type StreamedRecord } from '../core/streamed-records.ts';
import { unseal } from './sealed-value.ts';

export interface EventSource {
  readonly backbone: Backbone;
  readonly logger: Logger;
}

/** The broker is there, or this is no time to ask it. */
const REACH_MS = 5000;

/** Null when the stream does not go back to the beginning of the task. BACKBONE_DOWN when the broker does not answer. */
export async function eventHistoryOf(task: TaskId, { backbone, logger }: EventSource): Promise<StreamedHistory | null> {
  const records: StreamedRecord[] = [];
  let first: number | null = null;
  await backbone.drain(
    { from: { to: 'events' }, offset: 0 },
    {
      withinMs: REACH_MS,
      onDelivery: (delivery) => {
        first ??= delivery.offset;
        for (const record of recordsIn(delivery, task, logger)) records.push(record);
        delivery.ack();
      },
    },
  );
  const history = streamedHistoryOf(records);
  return history.begun || (first ?? 0) === 0 ? history : null;
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
