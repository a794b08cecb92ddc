import { limits, type Backoff } from '@muster/shared';

/** Limits of one user. */
export interface Quota {
  /** Tasks that have not ended. */
  readonly tasks: number;
  /** Operands and results of open tasks, and the stored results of ended ones. */
  readonly bytes: number;
  /** Open leases; further subtasks wait. */
  readonly leases: number;
}

/** Times and counts that the core decides by. One value each, here, so that tests and the simulator can shorten them. */
export interface Policy {
  readonly heartbeatMs: number;
  /** A provider that is silent for this long is suspect: its leases are given to others as well. */
  readonly suspectAfterMs: number;
  /** A provider that is silent for this long, or whose connection stayed closed for as long, is lost. */
  readonly lostAfterMs: number;
  /** Circuit breaker: a provider that became suspect this often within the window rests before it gets work again, longer each time. */
  readonly breakerBreaks: number;
  readonly breakerWindowMs: number;
  readonly rest: Backoff;
  /** Work that a provider may hold beyond the lease that it computes, in ms at its measured speed. */
  readonly backlogMs: number;
  /** Device leases that a provider may hold whatever their size: one computing and one waiting, so that it never idles. */
  readonly deviceLeasesMin: number;
  /** A lease that takes longer than this many times its expected time is copied to an idle node. */
  readonly speculateFactor: number;
  /** ... but never before this age: copies of quick leases would cost more than they save. */
  readonly speculateAfterMs: number;
  /** A lease is taken back after `deadlineFactor` times its expected time, at least after `deadlineMinMs`. */
  readonly deadlineFactor: number;
  readonly deadlineMinMs: number;
  /** ... and, where the compute or fetch time of a node's first work in a task cannot be estimated, at least after this. */
  readonly firstDeadlineMs: number;
  /** Rate of a slow link: a deadline is later by the time that fetching the lease's blocks takes at this rate. */
  readonly slowLinkBytesPerMs: number;
  /** A subtask that failed on this many different nodes fails its task. */
  readonly failNodes: number;
  /** ... or this many failures in all, where there are fewer nodes. */
  readonly failTimes: number;
  /** A node with this many wrong results in a task gets no more of that task. */
  readonly distrustAfter: number;
  /** A round closes without its missing subtasks after this many times the time to its quorum, at least after `roundLateMinMs`. */
  readonly roundLateFactor: number;
  readonly roundLateMinMs: number;
  readonly retry: Backoff;
  readonly resultTtlMs: number;
  readonly endedTasksMax: number;
  readonly quota: Quota;
}

export const defaultQuota: Quota = {
  tasks: limits.tasksPerUser.value,
  bytes: limits.bytesPerUser.value,
  leases: limits.leasesPerUser.value,
};

export const defaultPolicy: Policy = {
  heartbeatMs: 5000,
  suspectAfterMs: 7500,
  lostAfterMs: 15_000,
  breakerBreaks: 4,
  breakerWindowMs: 60_000,
  rest: { firstMs: 2000, factor: 2, maxMs: 30_000 },
  backlogMs: 25,
  deviceLeasesMin: 2,
  speculateFactor: 3,
  speculateAfterMs: 150,
  deadlineFactor: 20,
  deadlineMinMs: 30_000,
  firstDeadlineMs: 600_000,
  slowLinkBytesPerMs: 1250,
  failNodes: 3,
  failTimes: 6,
  distrustAfter: 3,
  roundLateFactor: 4,
  roundLateMinMs: 1000,
  retry: { firstMs: 100, factor: 2, maxMs: 10_000 },
  resultTtlMs: 24 * 3_600_000,
  endedTasksMax: limits.endedTasksMax.value,
  quota: defaultQuota,
};
