/** Leases in the log of a head at level debug. */

export interface LeaseGiven {
  /** Wall clock, ms. */
  readonly time: number;
  readonly task: string;
  readonly lease: number;
  readonly node: string;
  /** [from, to, ...) of subtasks. */
  readonly ranges: readonly number[];
}

/** The leases of a task in a head's standard error, in the order in which they were given. */
export function leasesGiven(log: string, task: string): LeaseGiven[] {
  const lines = log.split('\n').filter((line) => line.includes('"lease given"') && line.endsWith('}'));
  return lines.map((line) => JSON.parse(line) as LeaseGiven).filter((lease) => lease.task === task);
}

/**
 * Delays in ms after `sinceMs` (wall clock) at which leases of the victim were given to other nodes, in that order. Leases are matched by
 * their first subtask.
 */
export function givenAgain(
  leases: readonly LeaseGiven[],
  { victim, sinceMs }: { readonly victim: string; readonly sinceMs: number },
): number[] {
  const held = new Set(leases.filter(({ node }) => node === victim).map(({ ranges }) => ranges[0]));
  return leases
    .filter(({ node, time, ranges }) => node !== victim && time >= sinceMs && held.has(ranges[0]))
    .map(({ time }) => time - sinceMs);
}
