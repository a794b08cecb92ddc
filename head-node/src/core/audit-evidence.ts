/** What an audit lays side by side. */
import type { Finding, ProviderId, TaskState } from '@muster/shared';
import type { Acceptance } from './acceptances.ts';
import type { TaskHistory } from './journal-record.ts';
import type { StreamedHistory } from './streamed-records.ts';

export interface Evidence {
  /** As the head has it in memory. */
  readonly state: TaskState;
  /** Of the head now. */
  readonly epoch: number;
  readonly journal: TaskHistory;
  readonly broker: StreamedHistory | { readonly unread: string };
  /** By subtask; null where there is none. Subtasks that are not in here have none to show. */
  readonly files: ReadonlyMap<number, FoundFile | null>;
  readonly nameOf: (node: ProviderId) => string;
  readonly regionOf: (index: number) => readonly number[];
}

export interface FoundFile {
  readonly bytes: number;
  readonly digest: string;
}

/** A run of subtasks as the journal has it; `acceptance` is null where it has nothing. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly acceptance: Acceptance | null;
  readonly journal: Finding;
}
