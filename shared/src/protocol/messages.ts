/**
 * Every message of Muster. Which channel carries it and who sends it is in the comment of its group. Bulk bytes are never
 * in a message: they follow it as a raw frame (see codec.ts).
 */
import { z } from 'zod';
import {
  isBlockId,
  isProviderId,
  isSessionId,
  isTaskId,
  type BlockId,
  type ProviderId,
  type SessionId,
  type TaskId,
} from '../ids.ts';
import { roles } from '../trust/role.ts';
import { adminActions } from './administration.ts';
import { auditSummary } from './audit.ts';
import { message } from './define.ts';
import { limits } from './limits.ts';
import { backboneStatus, durabilities, nodeStatus, taskBrief, taskStatus, wireError } from './status.ts';
import { nonNegative, whole } from './numbers.ts';

const taskId = z.custom<TaskId>((value) => typeof value === 'string' && isTaskId(value));
const providerId = z.custom<ProviderId>((value) => typeof value === 'string' && isProviderId(value));
/** '' for a client. */
const providerOrNone = z.custom<ProviderId | ''>(
  (value) => value === '' || (typeof value === 'string' && isProviderId(value)),
);
const sessionId = z.custom<SessionId>((value) => typeof value === 'string' && isSessionId(value));
const blockId = z.custom<BlockId>((value) => typeof value === 'string' && isBlockId(value));
const text = z.string().max(1000);
/** No control characters, which terminals obey, and no marks of text direction, which make a name look like another. */
const name = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u);
const request = whole;

const refusal = z.object({ ep: name, reason: text });
const gflops = z.object({ float32: nonNegative, float64: nonNegative, int8: nonNegative });

/** What a provider can do, measured at its start. */
export const deviceFacts = z.object({
  /** The device that passed the self-test: an execution provider of ONNX Runtime (cpu, webgpu, cuda, dml, coreml), or tfjs. */
  kind: name,
  label: text,
  threads: whole,
  memoryBytes: nonNegative,
  gflops,
  /** Better devices that were tried first, and why each was refused. */
  refused: z.array(refusal).max(16),
});
export type DeviceFacts = z.infer<typeof deviceFacts>;

/** Subtask indices as ranges [from, to, from, to, ...), ends excluded. */
const ranges = z.array(whole).max(8192);

/**
 * A lease that a provider still holds, in progress or finished, and offers when it registers again. The ranges let a head that was
 * restarted in between resume the lease.
 */
const held = z.object({ task: taskId, lease: whole, attempt: whole, ranges });
export type HeldLease = z.infer<typeof held>;

/** Where a peer on the same machine and account finds the head's files, and the nonce that proves that it can read them. */
const storeOffer = z.object({ directory: z.string(), probe: z.string(), nonce: z.string() });
export type StoreOffer = z.infer<typeof storeOffer>;

/**
 * The provider's own user of the broker, and the authority (PEM) that signed the broker's certificate; '' for none. The URL holds a
 * password: it is sent only over an encrypted route, or within this account.
 */
export const brokerOffer = z.object({
  url: z.string().max(2000),
  ca: z.string().max(limits.brokerCaBytesMax.value),
});
export type BrokerOffer = z.infer<typeof brokerOffer>;

/** An accepted or finished subtask as a client sees it. */
const tile = z.object({
  index: whole,
  node: providerId,
  bytes: whole,
  /** The file in the head's store, for a client that shares it. */
  path: z.string(),
  /** [row from, row to, column from, column to) in the result. */
  region: z.array(whole).max(4),
});
export type TileNotice = z.infer<typeof tile>;

export const messages = {
  // -- registration (REQ-REP): provider asks, head answers ------------------------------------------------------------
  register: message(1, {
    version: whole,
    provider: providerId,
    name,
    platform: name,
    device: deviceFacts,
    credit: whole,
    held: z.array(held).max(64),
  }),
  registered: message(2, {
    session: sessionId,
    epoch: whole,
    heartbeatMs: whole,
    store: storeOffer,
    /** Leases among `held` that are still wanted; the provider drops the others. */
    keep: z.array(whole),
    /** Smaller lease numbers are from before this registration: those that were not offered are void. */
    firstLease: whole,
    broker: brokerOffer,
  }),
  /** Second step: the provider has seen `hello` on its topic and says whether it reads and writes the head's store by path. */
  ready: message(3, { session: sessionId, nonce: z.string(), sharesStore: z.boolean() }),
  /** Graceful leave: these leases are handed back without a result. */
  bye: message(5, { session: sessionId, handBack: z.array(whole) }),
  ok: message(6, {}),
  refused: message(7, { error: wireError }),
  /** Sent with the key pair of a join token: accept this key from now on. `provider` is '' for a client. */
  enrol: message(8, { version: whole, publicKey: text, name, provider: providerOrNone }),
  /** A key that is not approved yet is recorded, and let in once an admin approves it. */
  enrolled: message(9, { identity: name, role: z.enum(roles), cluster: name, approved: z.boolean() }),

  /** Tokens and nodes: an admin asks. */
  administer: message(10, { action: z.enum(adminActions), arguments: z.record(z.string(), text) }),
  administered: message(11, { answer: z.unknown() }),

  // -- heartbeats (REQ-REP) -------------------------------------------------------------------------------------------
  heartbeat: message(16, {
    session: sessionId,
    seq: whole,
    running: z.array(whole).max(64),
    computedMs: nonNegative,
    /** Measured rate from the head; 0 if unknown. */
    linkBytesPerMs: nonNegative,
  }),
  beat: message(17, { epoch: whole, seq: whole, known: z.boolean() }),

  // -- tasks (XPUB-SUB), provider topic: head to one provider ---------------------------------------------------------
  hello: message(32, { nonce: z.string() }),
  /**
   * One lease: a batch of subtasks of one task. `work` is read by the task type; its bytes, if any, follow as a raw frame. The result
   * of one that is `mirrored` goes to the broker as well.
   */
  lease: message(33, {
    task: taskId,
    lease: whole,
    /** Attempt of its first subtask. */
    attempt: whole,
    taskType: name,
    ranges,
    work: z.unknown(),
    mirrored: z.boolean(),
  }),
  /** The head has these results safely: the provider may forget them. */
  settled: message(34, { task: taskId, leases: z.array(whole) }),
  /** Stop these leases: their results are no longer wanted. */
  revoke: message(35, { task: taskId, leases: z.array(whole) }),
  /** The provider takes part in this task: subscribe to its topic, whose key only its providers know. */
  open: message(38, { task: taskId, topicKey: z.string().regex(/^[0-9a-f]{32}$/) }),
  // task topic: to every provider of a task
  /** One chunk of a shared operand block; the bytes follow as a raw frame. */
  block: message(36, { block: blockId, offset: whole, total: whole }),
  /** The task is over: drop what was kept for this task only. */
  closed: message(37, { task: taskId }),

  // -- results (PUSH-PULL): provider to head --------------------------------------------------------------------------
  /** The lease is computed. Its bytes are in the shared store under `path`, or were sent before as `resultChunk`s, or follow here. */
  result: message(48, {
    session: sessionId,
    task: taskId,
    lease: whole,
    bytes: whole,
    path: z.string(),
    computeMs: nonNegative,
    fetchMs: nonNegative,
  }),
  resultChunk: message(49, { session: sessionId, task: taskId, lease: whole, offset: whole, total: whole }),
  /**
   * To the head through the broker: a lease is computed. Its bytes are in the head's store, or go to the head by its session
   * (`wire`), or are in the task's stream as `streamedChunk`s, or follow here. It belongs to no session: there may be none.
   */
  delivered: message(51, {
    provider: providerId,
    task: taskId,
    lease: whole,
    attempt: whole,
    ranges,
    way: z.enum(['store', 'wire', 'stream', 'inline']),
    bytes: whole,
    computeMs: nonNegative,
    fetchMs: nonNegative,
  }),
  /** Through the broker: bytes of such a result, in its task's stream; they follow as a raw frame. */
  streamedChunk: message(53, { task: taskId, lease: whole, offset: whole, total: whole }),
  /** Through the broker: a record of the head's journal follows as a raw frame. */
  recorded: message(52, { task: taskId }),
  failed: message(50, { session: sessionId, task: taskId, lease: whole, error: wireError }),

  // -- clients (DEALER-ROUTER): requests carry a number that the answer repeats ---------------------------------------
  greet: message(64, { request, version: whole }),
  greeting: message(65, { request, epoch: whole, head: name, store: storeOffer }),
  submit: message(66, {
    request,
    /** Drawn by the client: the same submission sent twice is one task. */
    task: taskId,
    taskType: name,
    spec: z.unknown(),
    nodes: whole,
    waitNodesMs: nonNegative,
    timeoutMs: nonNegative,
    durability: z.enum(durabilities),
  }),
  /** The task is safe on the head's disk. */
  accepted: message(67, { request, task: taskId }),
  /** Names the id of one block of an operand. The answer says whether its bytes are needed. */
  bind: message(68, {
    request,
    task: taskId,
    operand: name,
    block: whole,
    id: blockId,
    bytes: whole,
    path: z.string(),
  }),
  bound: message(69, { request, wanted: z.boolean() }),
  /** Chunk of a block; raw frame follows; answered by `stored` (that is the credit). */
  put: message(70, { request, block: blockId, offset: whole, total: whole }),
  stored: message(71, { request, complete: z.boolean() }),
  /** Client and provider: bytes of a block. */
  fetch: message(72, { request, block: blockId, offset: whole, length: whole }),
  /** Client: bytes of an accepted subtask's result. */
  fetchResult: message(73, { request, task: taskId, index: whole, offset: whole, length: whole }),
  /** Provider: this many bytes of any content, to measure the link. */
  probe: message(87, { request, bytes: whole }),
  /** The answer to these three; the bytes follow as a raw frame. */
  chunk: message(74, { request, total: whole }),
  /** Asks that everything bound to this task be on the head's disk. The answer confirms it if its epoch has not changed. */
  sync: message(88, { request, task: taskId }),
  synced: message(89, { request, epoch: whole }),
  /** Start (or resume) notifications about this task; tiles already accepted are sent again. */
  watch: message(75, { request, task: taskId }),
  cancel: message(76, { request, task: taskId }),
  show: message(77, { request, task: taskId }),
  listTasks: message(78, { request }),
  listNodes: message(84, { request }),
  /** Compare journal, broker and results of a task. May take as long as reading all of them. */
  audit: message(85, { request, task: taskId }),
  task: message(79, { request, status: taskStatus }),
  tasks: message(80, { request, tasks: z.array(taskBrief).max(100) }),
  nodes: message(83, { request, nodes: z.array(nodeStatus).max(64), backbone: backboneStatus }),
  /** The rows are a block, for `fetch`: a JSON array of `auditRow`s in UTF-8. */
  audited: message(86, { request, summary: auditSummary, rows: blockId, bytes: whole }),
  done: message(81, { request }),
  error: message(82, { request, error: wireError }),
  // pushed to a client that watches
  tiles: message(90, { task: taskId, tiles: z.array(tile).max(200) }),
  progress: message(91, { task: taskId, status: taskStatus }),
  ended: message(92, { task: taskId, status: taskStatus }),
} as const;

export type Messages = typeof messages;
export type MessageType = keyof Messages;
export type Fields<T extends MessageType> = z.infer<Messages[T]['schema']>;
/** Tagged union over all messages. */
export type Message<T extends MessageType = MessageType> = { [K in T]: { readonly type: K } & Fields<K> }[T];
