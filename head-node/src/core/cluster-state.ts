/** Everything the head knows: plain data, changed only by `handle`. */
import {
  firstLeaseOf,
  RecentLeases,
  type BackboneReport,
  type BlockId,
  type DeviceFacts,
  type Durability,
  type ProviderId,
  type SessionId,
  type TaskId,
  type TaskPlan,
  type TaskStatus,
  type TaskType,
  type WireError,
} from '@muster/shared';
import type { LearnedRates } from './learned-rates.ts';
import type { LatencySample } from './latency-sample.ts';
import type { PendingSubtasks } from './pending.ts';
import type { Policy } from './policy.ts';
import type { Rounds } from './rounds-state.ts';
import type { SubtaskStates } from './subtask-states.ts';

/**
 * joining   registered, but has not confirmed yet that it receives its topic
 * ready     gets work
 * resting   is back, but disconnected so often lately that it gets no new work for a while
 * draining  taken out by an admin: finishes its leases and gets no new work
 * suspect   connection closed or heartbeat missed: its leases are also given to others; it may come back
 * leaving   said bye, and handed back its unfinished leases
 * lost      gone; its leases are void
 */
export type ProviderPhase = 'joining' | 'ready' | 'resting' | 'draining' | 'suspect' | 'leaving' | 'lost';

export interface Provider {
  readonly id: ProviderId;
  /** Of its latest registration. */
  session: SessionId;
  name: string;
  platform: string;
  device: DeviceFacts;
  /** Observed throughput; starts with the calibration that it registered with. */
  rates: LearnedRates;
  credit: number;
  sharesStore: boolean;
  /** As measured by the provider; 0 before it has measured. */
  linkBytesPerMs: number;
  phase: ProviderPhase;
  /** Why the phase is what it is, for people. */
  reason: string;
  lastHeardMs: number;
  /** When the current phase began. */
  phaseSinceMs: number;
  /** The latest times at which it became suspect, for the circuit breaker. */
  breaksAtMs: readonly number[];
  restUntilMs: number;
  readonly leases: Set<number>;
  /** Sum of `expectedMs` over `leases`. */
  backlogMs: number;
  accepted: number;
  rejected: number;
  /** Operand blocks that were sent to it. It may have evicted some and fetches those again, so this can only overstate. */
  readonly holds: Set<BlockId>;
}

export interface ReturnedResult {
  readonly task: TaskId;
  readonly lease: number;
  readonly bytes: number;
  readonly computeMs: number;
  readonly fetchMs: number;
}

export interface Lease {
  readonly id: number;
  readonly task: TaskId;
  readonly indices: readonly number[];
  provider: ProviderId;
  readonly attempt: number;
  readonly givenAtMs: number;
  /** Age and deadline count from here; null until the broker has confirmed a lease of a strict task, a delay that is not the node's. */
  sentAtMs: number | null;
  readonly expectedMs: number;
  /** Bytes of the operand blocks that the node must fetch for it. */
  fetchBytes: number;
  /** open: being worked on; given-up: its subtasks are pending again, a late result still counts; checking: result is being verified. */
  phase: 'open' | 'given-up' | 'checking';
  /** Was copied to another node, or is such a copy: it is not copied again. */
  copied: boolean;
  /** The result that is being checked. */
  returned: ReturnedResult | null;
  /** Number of checks that ended without a verdict. */
  failedChecks: number;
}

export interface OperandTable {
  readonly ids: (BlockId | undefined)[];
  readonly bytes: number[];
  missing: number;
}

/** One node's part in a task. */
export interface NodeTally {
  subtasks: number;
  flops: number;
  computeMs: number;
  fetchMs: number;
  rejected: number;
}

/** The scheduling state of a task that has a plan. */
export interface Running {
  readonly plan: TaskPlan;
  /** Providers by plan position; replacements are appended and own no queue. */
  readonly team: ProviderId[];
  readonly states: SubtaskStates;
  readonly pending: PendingSubtasks;
  /** Subtasks that wait for a block, by operand and block number. */
  readonly waiting: Map<string, number[]>;
  /** Number of absent blocks of each blocked subtask. */
  readonly absent: Map<number, number>;
  /** Blocks that two or more nodes need: they go out once, on the task's topic. */
  readonly shared: Set<string>;
  /** Blocks that were offered to the broker. */
  readonly mirrored: Set<BlockId>;
  /**
   * Of any two leases that share a subtask, at least one is in this set. It is empty in normal operation, so that the search for such pairs
   * costs nothing.
   */
  readonly overlapping: Set<number>;
  /** Nodes that failed a subtask, one entry for each failure. */
  readonly failures: Map<number, ProviderId[]>;
  /** Back-off: subtasks that must not be tried again before this time. */
  readonly notBeforeMs: Map<number, number>;
}

/** Current usage of one user. */
export interface Account {
  readonly user: string;
  /** Tasks that have not ended. */
  openTasks: number;
  /** Operands and results of open tasks, counted in full from submission, so that no upload is refused halfway. */
  openBytes: number;
  /** Results of tasks that have ended. */
  keptBytes: number;
  /** Open leases. */
  openLeases: number;
}

export interface Task {
  readonly id: TaskId;
  /** The submitter's account; null without a quota: admins and programs of the head's own account. */
  readonly account: Account | null;
  readonly type: TaskType<unknown>;
  readonly spec: unknown;
  readonly nodes: number;
  readonly waitNodesMs: number;
  readonly timeoutMs: number;
  /** On this epoch's monotonic clock; may be negative for a task that was accepted in an earlier one. */
  readonly acceptedAtMs: number;
  /** Start of the wait for nodes. A restart begins it anew, so that nodes have time to reconnect. */
  readonly waitingSinceMs: number;
  readonly durability: Durability;
  /** Whether the broker has all messages of the task: not asked yet (before all subtasks are accepted), awaited, all there, or given up. */
  mirror: 'open' | 'awaited' | 'complete' | 'incomplete';
  /** Whether the journal has the task on disk. It may be worked on before that, but cannot end as done. */
  durable: boolean;
  state: TaskStatus['state'];
  readonly operands: Map<string, OperandTable>;
  run: Running | null;
  /** Null for a task that does not work in rounds; otherwise `run` is the current round's. */
  readonly rounds: Rounds | null;
  /**
   * Results in the result store, and the plan that says where they belong. Dropped a minute after the end; from then on they are read from
   * the journal.
   */
  outcome: {
    readonly plan: TaskPlan;
    readonly kept: Map<number, { readonly node: ProviderId; readonly bytes: number }>;
  } | null;
  /** Bytes of its results in the result store. */
  resultBytes: number;
  /** Bytes that it currently counts against its account. */
  heldBytes: number;
  readonly leases: Set<number>;
  readonly tallies: Map<ProviderId, NodeTally>;
  readonly latency: LatencySample;
  verified: number;
  rejected: number;
  retries: number;
  bytesSent: number;
  bytesReceived: number;
  verifyMs: number;
  error: WireError | null;
  endedAtMs: number | null;
  /** The status at the end, as journalled; null while the task is open. */
  final: TaskStatus | null;
}

export interface BackboneView {
  readonly state: BackboneReport['state'];
  /** The broker confirms too slowly: no leases that go to it are given out until it has caught up. */
  readonly congested: boolean;
}

export interface ClusterState {
  readonly policy: Policy;
  backbone: BackboneView;
  /**
   * Start-up recovery is over: the results left in the broker were read, or it was not reached in time. From then on `connecting` counts as
   * away.
   */
  recovered: boolean;
  readonly providers: Map<ProviderId, Provider>;
  /** Cache of readyProviders; null after a phase has changed. */
  ready: readonly Provider[] | null;
  readonly sessions: Map<SessionId, ProviderId>;
  /** Nodes that an admin has drained, connected or not. */
  readonly drained: Set<ProviderId>;
  readonly tasks: Map<TaskId, Task>;
  /** By user; only users with open tasks or stored results. */
  readonly accounts: Map<string, Account>;
  /** The tasks that have not ended. */
  readonly open: Set<Task>;
  /** By the time of their end, oldest first. */
  readonly ended: Task[];
  /** The tasks that have a run. */
  readonly running: Set<Task>;
  readonly leases: Map<number, Lease>;
  /** Leases that their providers were told to forget. The bytes may be deleted at any moment, so a later copy of a result is ignored. */
  readonly closed: RecentLeases;
  nextLease: number;
  /** Wall clock minus `nowMs` at the start of this epoch. Used only to convert times across epochs. */
  wallOffsetMs: number;
  /** Time of the last tick; a large gap means that this process was frozen. */
  lastTickMs: number;
  readonly counters: Counters;
}

export interface Counters {
  subtasksAccepted: number;
  resultsRejected: number;
  resultsDuplicate: number;
  resultsStale: number;
  leasesGiven: number;
  leasesRetried: number;
  leasesSpeculative: number;
  providersLost: number;
}

export function newClusterState(policy: Policy, epoch: number, nowMs: number): ClusterState {
  return {
    policy,
    backbone: { state: 'off', congested: false },
    recovered: false,
    providers: new Map(),
    ready: null,
    sessions: new Map(),
    drained: new Set(),
    tasks: new Map(),
    accounts: new Map(),
    open: new Set(),
    ended: [],
    running: new Set(),
    leases: new Map(),
    closed: new RecentLeases(),
    nextLease: firstLeaseOf(epoch),
    wallOffsetMs: 0,
    lastTickMs: nowMs,
    counters: {
      subtasksAccepted: 0,
      resultsRejected: 0,
      resultsDuplicate: 0,
      resultsStale: 0,
      leasesGiven: 0,
      leasesRetried: 0,
      leasesSpeculative: 0,
      providersLost: 0,
    },
  };
}
