/** A task fails only for a reason that the faults of this run can give it. */
import type { TaskStatus } from '@muster/shared';
import type { FaultKind, Faults } from '../faults.ts';
import { must } from './violation.ts';

const causes: Readonly<Record<string, readonly FaultKind[]>> = {
  COMPUTE_FAILED: ['poison', 'provider-disk-full', 'wedge'],
  VERIFICATION_FAILED: ['liar'],
  TIMEOUT: ['client-loss'],
  NOT_ENOUGH_NODES: ['few-nodes'],
  DISK_FULL: ['small-store'],
};

export function hasCause({ taskId, state, error }: TaskStatus, faults: Faults): void {
  if (state !== 'failed') return;
  const { code = 'no error' } = error ?? {};
  must(
    (causes[code] ?? []).some((kind) => faults.has(kind)),
    `task ${taskId} fails only for a cause that there was (${code}: ${error?.what ?? ''}, ${error?.why ?? ''})`,
  );
}
