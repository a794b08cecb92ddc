import type { Fields } from '@muster/shared';
import type { LeaseOrder } from '../core/effects.ts';

/** Fields of a lease message, the same by ZeroMQ and by the broker. */
export const leaseFields = ({
  task,
  lease,
  attempt,
  taskType,
  ranges,
  work,
  durability,
}: LeaseOrder): Fields<'lease'> => ({
  task,
  lease,
  attempt,
  taskType,
  ranges: [...ranges],
  work,
  mirrored: durability !== 'local',
});
