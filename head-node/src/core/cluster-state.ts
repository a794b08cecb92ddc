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
 * joining   registered; has not confirmed yet that it hears its topic
 * ready     gets work
 * resting   is back, but broke off so often lately that it gets nothing new for a while
 * draining  an admin has taken it out: it ends what it has and gets nothing new
 * suspect   connection closed or heartbeat missed: its leases are given to others as well; may come back
 * leaving   said bye: finishes nothing more
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
  /** What it really achieves; starts as what was measured when it joined. */
  rates: LearnedRates;
  credit: number;
  sharesStore: boolean;
  /** As it has measured it; 0 when it has not. */
  linkBytesPerMs: number;
  phase: ProviderPhase;
  /** Why the phase is what it is, for people. */
  reason: string;
  lastHeardMs: number;
  /** Since when it is not ready. */
  phaseSinceMs: number;
  /** When it was suspected, the last times within the breaker's window. */
  breaksAtMs: readonly number[];
  restUntilMs: number;
  readonly leases: Set<number>;
  /** Sum of what is expected of its open leases, ms. */
  backlogMs: number;
  accepted: number;
  rejected: number;
  /** Operand blocks that were sent to it; a copy that it evicted meanwhile is fetched again, so this may only err upwards. */
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
  /** Its times count from here; null while the broker has not confirmed it, for which its node cannot be blamed. */
  sentAtMs: number | null;
  readonly expectedMs: number;
  /** Of the blocks that its node must fetch for it. */
  fetchBytes: number;
  /** open: being worked on; given-up: its subtasks are pending again, a late result still counts; checking: result is being verified. */
  phase: 'open' | 'given-up' | 'checking';
  /** Was this lease copied to another node? */
  copied: boolean;
  /** What is being checked. */
  returned: ReturnedResult | null;
  /** How often its check came to no verdict. */
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

/** A task whose plan is made. */
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
   * Where two leases have a subtask in common, at least one of them is in here; empty where nothing goes wrong, so that the
   * search for such pairs costs nothing then.
   */
  readonly overlapping: Set<number>;
  /** Nodes that failed a subtask, one entry for each failure. */
  readonly failures: Map<number, ProviderId[]>;
  /** Subtasks that must not be tried again before a time. */
  readonly notBeforeMs: Map<number, number>;
}

/** What one user has at the head. */
export interface Account {
  readonly user: string;
  /** Tasks that have not ended. */
  openTasks: number;
  /** Of those: operands and results in full from the start, so that nobody is refused in the middle of sending them. */
  openBytes: number;
  /** Results of tasks that have ended. */
  keptBytes: number;
  /** Leases that nodes work on. */
  openLeases: number;
}

export interface Task {
  readonly id: TaskId;
  /** Of who submitted it; null where there is no quota: for admins and programs of the head's own account. */
  readonly account: Account | null;
  readonly type: TaskType<unknown>;
  readonly spec: unknown;
  readonly nodes: number;
  readonly waitNodesMs: number;
  readonly timeoutMs: number;
  /** Also of an earlier life of the head, so perhaps below zero. */
  readonly acceptedAtMs: number;
  /** Since when it waits for its nodes: after a restart they are given time to come back. */
  readonly waitingSinceMs: number;
  readonly durability: Durability;
  /** Of its messages in the broker, once all its subtasks are accepted: waited for, all there, or given up. */
  mirror: 'open' | 'awaited' | 'complete' | 'incomplete';
  /** False until the journal has it on disk: nothing is done before. */
  durable: boolean;
  state: TaskStatus['state'];
  readonly operands: Map<string, OperandTable>;
  run: Running | null;
  /** Of a task that works in rounds: `run` is then the current round's. */
  readonly rounds: Rounds | null;
  /**
   * Results in the result store, and the plan that says where they belong. Dropped a minute after the end: from then on
   * the journal tells.
   */
  outcome: {
    readonly plan: TaskPlan;
    readonly kept: Map<number, { readonly node: ProviderId; readonly bytes: number }>;
  } | null;
  /** Of its results in the result store. */
  resultBytes: number;
  /** What it counts in its account. */
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
  /** A status that was journalled at the end in an earlier life; replaces what would be computed. */
  final: TaskStatus | null;
}

export interface BackboneView {
  readonly state: BackboneReport['state'];
  /** The broker confirms too slowly: nothing more is put on it for a while. */
  readonly congested: boolean;
}

export interface ClusterState {
  readonly policy: Policy;
  backbone: BackboneView;
  /** What the broker had for this life of the head is in, or it was not reached in time: `connecting` is as good as away. */
  recovered: boolean;
  readonly providers: Map<ProviderId, Provider>;
  /** See readyProviders; null when a phase has changed since it was asked for. */
  ready: readonly Provider[] | null;
  readonly sessions: Map<SessionId, ProviderId>;
  /** Nodes that an admin has taken out, here or not. */
  readonly drained: Set<ProviderId>;
  readonly tasks: Map<TaskId, Task>;
  /** Of users that have something here. */
  readonly accounts: Map<string, Account>;
  /** The tasks that have not ended. */
  readonly open: Set<Task>;
  /** The one that ended first comes first. */
  readonly ended: Task[];
  /** The tasks that have a run. */
  readonly running: Set<Task>;
  readonly leases: Map<number, Lease>;
  /** Their providers were told to forget them: what they have of them goes at any moment, so no copy of a result counts any more. */
  readonly closed: RecentLeases;
  nextLease: number;
  /** What the wall clock said beyond `nowMs` when this life of the head began: for ages across lives, and nothing else. */
  wallOffsetMs: number;
  /** When the last tick came: a gap tells that this process was frozen. */
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
