import { MusterError, type TaskId } from '@muster/shared';

export const unknownTask = (task: TaskId): MusterError =>
  new MusterError('TASK_UNKNOWN', `there is no task ${task}`, {
    why: 'its results may have expired, or it was submitted to another head',
    fix: 'user-client tasks ls',
  });
