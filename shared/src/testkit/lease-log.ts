/** What a head that logs at level debug tells about its leases. */

export interface LeaseGiven {
  /** By the wall clock, ms. */
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
 * For each subtask that the victim had and somebody else was given from `sinceMs` (wall clock) on: how long after, in ms, in the
 * order in which they were given.
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
