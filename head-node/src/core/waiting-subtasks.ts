/** Subtasks become pending when the last block that they read is in the store. */
import type { BlockNeed } from '@muster/shared';
import type { Running, Task } from './cluster-state.ts';
import { subtaskState } from './subtask-states.ts';

export const blockKey = ({ operand, block }: BlockNeed): string => `${operand}/${block}`;

export const isPresent = (task: Task, { operand, block }: BlockNeed): boolean =>
  task.operands.get(operand)?.ids[block] !== undefined;

export function markPresent(run: Running, need: BlockNeed): void {
  const key = blockKey(need);
  for (const index of run.waiting.get(key) ?? []) {
    const left = (run.absent.get(index) ?? 0) - 1;
    if (left > 0) {
      run.absent.set(index, left);
      continue;
    }
    run.absent.delete(index);
    run.states.move(index, subtaskState.pending);
    run.pending.add(run.plan.homes[index] ?? -1, index);
  }
  run.waiting.delete(key);
}
