/** One task's part of the broker's event stream: the same records as in the journal, as they went out. */
import type { TaskStatus } from '@muster/shared';
import { acceptancesOf, byIndex, type Acceptance } from './acceptances.ts';
import type { JournalRecord } from './journal-record.ts';

export interface StreamedRecord {
  /** The life of the head that sent it. */
  readonly epoch: number;
  readonly record: JournalRecord;
}

export interface StreamedAcceptance extends Acceptance {
  readonly epoch: number;
}

export interface StreamedHistory {
  /** The latest life of the head that wrote into it. */
  readonly epoch: number;
  /** Is the record there with which every task begins? */
  readonly begun: boolean;
  /** By index. */
  readonly acceptances: readonly StreamedAcceptance[];
  /** The latest end that was told. */
  readonly ended: TaskStatus | null;
}

export function streamedHistoryOf(records: Iterable<StreamedRecord>): StreamedHistory {
  let [begun, latest] = [false, 0];
  let ended: TaskStatus | null = null;
  const acceptances: StreamedAcceptance[] = [];
  for (const { epoch, record } of records) {
    latest = Math.max(latest, epoch);
    if (record.type === 'task') begun = true;
    else if (record.type === 'ended') ended = record.status;
    else if (record.type === 'subtask' || record.type === 'subtasks')
      for (const acceptance of acceptancesOf(record)) acceptances.push({ ...acceptance, epoch });
  }
  return { epoch: latest, begun, acceptances: acceptances.toSorted(byIndex), ended };
}
