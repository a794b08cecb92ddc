/** The head's core as a subpath of its own, for the simulator, which drives it without the head's sockets and disk. */
export { audit } from './audit.ts';
export type { Evidence } from './audit-evidence.ts';
export {
  newClusterState,
  type BackboneView,
  type ClusterState,
  type Lease,
  type Provider,
  type Task,
} from './cluster-state.ts';
export type { CheckOrder, HeadEffect, LeaseOrder } from './effects.ts';
export type { HeadEvent, Moment, ReturnedResult } from './events.ts';
export { handle } from './handle.ts';
export { historyOf, lostBetween, recordsOf } from './history.ts';
export { fromRanges } from './index-ranges.ts';
export { assertInvariants } from './invariants.ts';
export type { JournalRecord, TaskHistory } from './journal-record.ts';
export { defaultPolicy, type Policy, type Quota } from './policy.ts';
export { ResultCopies } from './result-copies.ts';
export { settledMessages, Settlements, type Settlement } from './settlements.ts';
export { streamedHistoryOf, type StreamedRecord } from './streamed-records.ts';
export { subtaskState } from './subtask-states.ts';
export { statusOf } from './views.ts';
