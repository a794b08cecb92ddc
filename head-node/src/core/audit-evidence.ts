/** What an audit compares: journal, event stream and result files of one task. */
import type { Finding, ProviderId, TaskState } from '@muster/shared';
import type { Acceptance } from './acceptances.ts';
import type { TaskHistory } from './journal-record.ts';
import type { StreamedHistory } from './streamed-records.ts';

export interface Evidence {
  /** As the head has it in memory, or as journalled if the task ended while the evidence was gathered. */
  readonly state: TaskState;
  /** The head's current epoch. */
  readonly epoch: number;
  readonly journal: TaskHistory;
  readonly broker: StreamedHistory | { readonly unread: string };
  /** By subtask index; null: the file is missing. Subtasks that are absent from the map have no file to check. */
  readonly files: ReadonlyMap<number, FoundFile | null>;
  readonly nameOf: (node: ProviderId) => string;
  readonly regionOf: (index: number) => readonly number[];
}

export interface FoundFile {
  readonly bytes: number;
  readonly digest: string;
}

/** Consecutive subtasks with the same finding in the journal; `acceptance` is null for a gap. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly acceptance: Acceptance | null;
  readonly journal: Finding;
}
