/** A task may fail, or not be mirrored, only for a reason that the faults of this run can cause. */
import type { TaskId, TaskStatus } from '@muster/shared';
import type { FaultKind, Faults } from '../faults.ts';
import type { HeadLife } from '../head/head-life.ts';
import { must } from './violation.ts';

const causes: Readonly<Record<string, readonly FaultKind[]>> = {
  BLOCK_MISSING: ['check-failed'],
  COMPUTE_FAILED: ['poison', 'wedge'],
  VERIFICATION_FAILED: ['liar'],
  TIMEOUT: ['client-loss'],
  NOT_ENOUGH_NODES: ['few-nodes'],
  DISK_FULL: ['small-store', 'provider-disk-full'],
};

const unmirrored: readonly FaultKind[] = ['broker-down', 'broker-blocked', 'broker-point', 'mirror-loss'];

export function hasCause({ taskId, state, error }: TaskStatus, faults: Faults): void {
  if (state !== 'failed') return;
  const { code = 'no error' } = error ?? {};
  must(
    (causes[code] ?? []).some((kind) => faults.has(kind)),
    `task ${taskId} fails only for a cause that there was (${code}: ${error?.what ?? ''}, ${error?.why ?? ''})`,
  );
}

export function isLocalForACause(status: TaskStatus, { state, mirror }: HeadLife, faults: Faults): void {
  const asked = state.tasks.get(status.taskId as TaskId)?.durability;
  if (mirror.isOff || status.state !== 'done' || status.durability !== 'local' || asked === 'local') return;
  must(
    unmirrored.some((kind) => faults.has(kind)),
    `task ${status.taskId} is told as local only where the broker was away, or has lost something`,
  );
}
