/** What the head reports about tasks and nodes: the objects behind `--json`, progress and the HTTP routes. */
import { z } from 'zod';
import { isErrorCode, type ErrorCode } from '../errors.ts';
import { trainingReport } from './training-report.ts';
import { nonNegative, whole } from './numbers.ts';

export const taskStates = ['accepted', 'waiting', 'running', 'done', 'failed', 'cancelled'] as const;
export type TaskState = (typeof taskStates)[number];
export const isTerminal = (state: TaskState): boolean =>
  state === 'done' || state === 'failed' || state === 'cancelled';

/**
 * Where the messages of a task are kept, besides the head's journal.
 * mirrored  in the broker too; while the broker is up, the end of the task is reported only when it has all of them
 * strict    in the broker first: a subtask is sent once the broker has it; without the broker the task waits
 * local     in the journal only
 */
export const durabilities = ['mirrored', 'strict', 'local'] as const;
export type Durability = (typeof durabilities)[number];

export const nodeStates = ['ready', 'busy', 'suspect', 'lost', 'draining'] as const;
export type NodeState = (typeof nodeStates)[number];

const errorCode = z.custom<ErrorCode>(isErrorCode);
export const wireError = z.object({ code: errorCode, what: z.string(), why: z.string(), fix: z.string() });

/** One node's part in one task. `gflops` is 2mnk of its accepted subtasks over its compute time. */
export const nodeShare = z.object({
  id: z.string(),
  name: z.string(),
  device: z.string(),
  /** Accepted subtasks. */
  subtasks: whole,
  /** Leases that it works on now. */
  running: whole,
  gflops: nonNegative,
  computeMs: nonNegative,
  /** Time it waited for operands. */
  fetchMs: nonNegative,
  state: z.enum(nodeStates),
});
export type NodeShare = z.infer<typeof nodeShare>;

/** Predicted time with the fastest `nodes` of the nodes. */
export const forecastPoint = z.object({ nodes: whole, ms: nonNegative });
export type ForecastPoint = z.infer<typeof forecastPoint>;

export const taskStatus = z.object({
  taskId: z.string(),
  state: z.enum(taskStates),
  task: z.string(),
  /** [m, k, n] of a product, [count] of an echo, the result's of an inference, a sample's of a training run. */
  shape: z.array(whole).max(8),
  dtype: z.string(),
  nodes: z.array(nodeShare).max(64),
  /** Since acceptance; at a terminal state, until it was reached. */
  wallMs: nonNegative,
  gflops: nonNegative,
  /** Subtasks in all. */
  tiles: whole,
  acceptedTiles: whole,
  verifiedTiles: whole,
  rejectedTiles: whole,
  /** Leases that were given again because a node failed, left or was late. */
  retries: whole,
  /** To and from providers, over sockets and shared files, as seen from the head. */
  bytesSent: whole,
  bytesReceived: whole,
  verifyMs: nonNegative,
  forecastMs: nonNegative,
  forecast: z.array(forecastPoint).max(64),
  /** A sentence for the user, such as that fewer nodes would be faster; empty if there is none. */
  advice: z.string(),
  /** Dispatch to acceptance of one lease, as the head saw it. */
  latencyMs: z.object({ p50: nonNegative, p99: nonNegative }),
  /** Durability in effect: `local` also if there is no broker, or if it was away when the task ended. */
  durability: z.enum(durabilities),
  /** Null unless it is a training run that has begun. */
  training: trainingReport.nullable(),
  error: wireError.nullable(),
});
export type TaskStatus = z.infer<typeof taskStatus>;

export const taskBrief = taskStatus.pick({
  taskId: true,
  state: true,
  task: true,
  shape: true,
  dtype: true,
  wallMs: true,
  tiles: true,
  acceptedTiles: true,
});
export type TaskBrief = z.infer<typeof taskBrief>;

/** The broker as the head sees it. */
export const backboneStatus = z.object({
  state: z.enum(['off', 'connecting', 'up', 'blocked', 'down']),
  /** Human-readable reason; empty when up or off. */
  reason: z.string(),
  /** Unconfirmed messages, their bytes and the age of the oldest; block chunks are not counted. */
  outboxMessages: whole,
  outboxBytes: whole,
  lagMs: nonNegative,
  /** Queues that confirm nothing while others do; messages waiting for them are left out of `lagMs`. */
  muteQueues: whole,
  /** Unconfirmed block chunks. */
  blockOutboxBytes: whole,
  confirmed: whole,
  resent: whole,
  unrouted: whole,
  /** Messages in the broker's dead-letter queue `dead`, for an operator to inspect. */
  dead: whole,
  dropped: whole,
});
export type BackboneReport = z.infer<typeof backboneStatus>;

/** Report of a head without a broker. */
export const noBackbone: BackboneReport = {
  state: 'off',
  reason: '',
  outboxMessages: 0,
  outboxBytes: 0,
  lagMs: 0,
  muteQueues: 0,
  blockOutboxBytes: 0,
  confirmed: 0,
  resent: 0,
  unrouted: 0,
  dead: 0,
  dropped: 0,
};

export const nodeStatus = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(nodeStates),
  /** Why the state is what it is: 'connection closed', 'no heartbeat for 10 s'. */
  reason: z.string(),
  platform: z.string(),
  device: z.string(),
  label: z.string(),
  threads: whole,
  memoryBytes: nonNegative,
  gflops: z.object({ float32: nonNegative, float64: nonNegative, int8: nonNegative }),
  running: whole,
  accepted: whole,
  rejected: whole,
  /** Reads and writes operands and results by path instead of over a socket. */
  sharesStore: z.boolean(),
  /** Measured rate from the head to the node; 0 if unknown or not needed. */
  linkBytesPerMs: nonNegative,
  heartbeatAgeMs: nonNegative,
  refused: z.array(z.object({ ep: z.string(), reason: z.string() })),
});
export type NodeStatus = z.infer<typeof nodeStatus>;
