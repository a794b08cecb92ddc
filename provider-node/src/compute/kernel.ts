import type { BlockId, TaskId } from '@muster/shared';
import type { Done } from './compute-protocol.ts';

/** A job whose work was read. */
export interface KernelJob {
  readonly task: TaskId;
  /** As `readWork` of the task type gave it. */
  readonly work: unknown;
  /** The file of one of the work's blocks. */
  readonly pathOf: (id: BlockId) => string;
  readonly out: string;
}

/** What computes the subtasks of one kind of task. One at a time: the buffers of a job are reused by the next. */
export interface Kernel {
  run(job: KernelJob): Promise<Done>;
  /** Called when a result is on its way and no job is there: what the next one is likely to need may be prepared. Must not throw. */
  idle?(): void;
}
