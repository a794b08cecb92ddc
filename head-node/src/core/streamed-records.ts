/** One task's part of the broker's event stream: the same records as in the journal, as they went out. */
import type { TaskStatus } from '@muster/shared';
import { acceptancesOf, byIndex, type Acceptance } from './acceptances.ts';
import type { JournalRecord } from './journal-record.ts';

export interface StreamedRecord {
  /** The epoch of the head that sent it. */
  readonly epoch: number;
  readonly record: JournalRecord;
}

export interface StreamedAcceptance extends Acceptance {
  readonly epoch: number;
}

export interface StreamedHistory {
  /** Was the task's first record found? */
  readonly begun: boolean;
  /** In the order of the subtasks. */
  readonly acceptances: readonly StreamedAcceptance[];
  /** The latest end record. */
  readonly ended: StreamedEnd | null;
}

export interface StreamedEnd {
  readonly epoch: number;
  readonly status: TaskStatus;
}

export function streamedHistoryOf(records: Iterable<StreamedRecord>): StreamedHistory {
  let begun = false;
  let ended: StreamedEnd | null = null;
  const acceptances: StreamedAcceptance[] = [];
  for (const { epoch, record } of records) {
    if (record.type === 'task') begun = true;
    else if (record.type === 'ended') ended = { epoch, status: record.status };
    else if (record.type === 'subtask' || record.type === 'subtasks')
      for (const acceptance of acceptancesOf(record)) acceptances.push({ ...acceptance, epoch });
  }
  return { begun, acceptances: acceptances.toSorted(byIndex), ended };
}
