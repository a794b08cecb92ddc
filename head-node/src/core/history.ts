import type { TaskPlan } from '@muster/shared';
import type {
  BoundRecord,
  EndedRecord,
  JournalRecord,
  LostRecord,
  SubtaskRecord,
  SubtasksRecord,
  TaskHistory,
  TaskRecord,
} from './journal-record.ts';

/**
 * Folds one task's records, in the order in which they were written, into its history; null without the task record itself. `epoch`: of the
 * latest record.
 */
export function historyOf(records: readonly JournalRecord[], epoch: number): TaskHistory | null {
  let task: TaskRecord | null = null;
  let plan: TaskPlan | null = null;
  let ended: EndedRecord | null = null;
  const bound: BoundRecord[] = [];
  const subtasks: SubtaskRecord[] = [];
  const ranges: SubtasksRecord[] = [];
  for (const record of records) {
    switch (record.type) {
      case 'task':
        task = record;
        break;
      case 'bound':
        bound.push(record);
        break;
      case 'planned':
        plan = record.plan;
        break;
      case 'subtask':
        subtasks.push(record);
        break;
      case 'subtasks':
        ranges.push(record);
        break;
      case 'lost':
        dropSubtask(subtasks, record.index);
        break;
      case 'ended':
        ended = record;
        break;
      case 'forgotten':
        break;
    }
  }
  return task === null ? null : { record: task, bound, plan, subtasks, ranges, ended, epoch };
}

function dropSubtask(subtasks: SubtaskRecord[], lost: number): void {
  const at = subtasks.findLastIndex(({ index }) => index === lost);
  if (at >= 0) subtasks.splice(at, 1);
}

/** The inverse of `historyOf`. */
export const recordsOf = ({ record, bound, plan, subtasks, ranges, ended }: TaskHistory): JournalRecord[] => [
  record,
  ...bound,
  ...(plan === null ? [] : [{ type: 'planned', task: record.task, plan } as const]),
  ...subtasks,
  ...ranges,
  ...(ended === null ? [] : [ended]),
];

/** The records to append when only `left` remains of `before`. */
export function lostBetween(before: TaskHistory, left: TaskHistory): LostRecord[] {
  const kept = new Set(left.subtasks);
  const lost = before.subtasks.filter((subtask) => !kept.has(subtask));
  return lost.map(({ task, index }) => ({ type: 'lost', task, index }));
}
