import type { BlockId, TaskId } from '@muster/shared';
import type { Done } from './compute-protocol.ts';

/** A job whose work has been parsed. */
export interface KernelJob {
  readonly task: TaskId;
  /** As returned by `readWork` of the task type. */
  readonly work: unknown;
  /** Path of one of the work's blocks. */
  readonly pathOf: (id: BlockId) => string;
  readonly out: string;
}

/** Computes the subtasks of one task type, one at a time: each job reuses the buffers of the one before. */
export interface Kernel {
  run(job: KernelJob): Promise<Done>;
  /** Called when a result has been answered and no job is running: may prepare what the next job is likely to need. Must not throw. */
  idle?(): void;
}
