import type { TaskPlan } from '@muster/shared';
import type {
  BoundRecord,
  EndedRecord,
  JournalRecord,
  SubtaskRecord,
  SubtasksRecord,
  TaskHistory,
  TaskRecord,
} from '../core/journal-record.ts';

/** One task's records, in the order in which they were written, as its history; null when the task itself is not among them. */
export function historyOf(records: readonly JournalRecord[]): TaskHistory | null {
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
      case 'ended':
        ended = record;
        break;
      case 'forgotten':
        break;
    }
  }
  return task === null ? null : { record: task, bound, plan, subtasks, ranges, ended };
}
