import {
  isTaskId,
  MusterError,
  silentLogger,
  type AuditReport,
  type BackboneReport,
  type Durability,
  type Endpoint,
  type Logger,
  type Message,
  type NodeStatus,
  type StoreOffer,
  type TaskBrief,
  type TaskId,
  type TaskStatus,
} from '@muster/shared';
import { routeToHead, type HeadRoute, type Membership } from '@muster/shared/io';
import type { GivenUp } from './cancellations.ts';
import { HeadLink } from './link/head-link.ts';
import { HostName } from './link/host-name.ts';
import type { Push } from './link/requests.ts';
import { productBlocks } from './operands/matrix-blocks.ts';
import type { MatrixRef, OperandSide } from './operands/matrix-ref.ts';
import type { MatrixSource } from './operands/matrix-source.ts';
import { inferenceBlocks, inferenceSpec, rowResult, type InferenceRequest } from './inference/infer-request.ts';
import type { RowSink } from './inference/row-source.ts';
import { putMatrix } from './operands/put-matrix.ts';
import { resultShape, resultShapeOf, rowShapeOf, specOfProduct, type ProductOperands } from './product.ts';
import type { MatrixSink } from './results/matrix-sink.ts';
import { membershipAt } from './memberships.ts';
import { matrixResult } from './results/task-result.ts';
import { openSharedBlocks } from './shared-blocks.ts';
import { auditTask } from './task-audit.ts';
import { readCheckpoint, type CheckpointFile } from './training/checkpoint-file.ts';
import { fetchCheckpoint } from './training/fetch-checkpoint.ts';
import { checkBatchFor, trainingSubmission, type TrainingRequest } from './training/train-request.ts';
import { TrainingHandle, writeCheckpoint } from './training/training-handle.ts';
import { TaskBoard, type Submission } from './task-board.ts';
import type { TaskHandle } from './task-handle.ts';
import { Transport } from './transport.ts';

/** Time limit of requests that the head answers from memory. */
const REQUEST_MS = 10_000;
const WAIT_NODES_MS = 30_000;
const TIMEOUT_MS = 600_000;
const TRAINING_TIMEOUT_MS = 24 * 3_600_000;

export interface ClientOptions {
  readonly host: string;
  readonly portBase: number;
  /** Default 4000. */
  readonly connectTimeoutMs?: number | undefined;
  /** 'auto' moves blocks through the head's files where this process can reach them; 'wire' always uses the socket. */
  readonly blocks?: 'auto' | 'wire' | undefined;
  /**
   * Membership in the head's cluster. Default: what an earlier `login` stored for this address; none is needed on the head's own account.
   */
  readonly membership?: Membership | null | undefined;
  readonly logger?: Logger | undefined;
  /** Aborts connecting; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Terms common to all tasks. */
export interface TaskRequest {
  /** Nodes that must be ready. Default: as many as are ready now. */
  readonly nodes?: number | undefined;
  /** How long to wait for them, in ms. Default 30 s. */
  readonly waitNodesMs?: number | undefined;
  /** From submission to the end, in ms. Default 10 min, for training 24 h. */
  readonly timeoutMs?: number | undefined;
  /**
   * Whether a broker keeps the task's messages beside the head's journal. Default `mirrored`, which means `local` if the head has no
   * broker.
   */
  readonly durability?: Durability | undefined;
  /** Cancels the task on the head when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

export interface MultiplyRequest extends TaskRequest, ProductOperands {
  /** Receives the result; without one it stays on the head, to be fetched by `attach`. */
  readonly sink?: MatrixSink | undefined;
}

export interface EchoRequest extends TaskRequest {
  readonly count: number;
  /** Payload of each subtask. Default 64. */
  readonly bytes?: number | undefined;
  /** Subtasks per lease. Default 64. */
  readonly batch?: number | undefined;
  /** Leases in flight per node. Default: the head's own window. */
  readonly window?: number | undefined;
}

export interface TrainRequest extends TaskRequest, TrainingRequest {}

export interface InferRequest extends TaskRequest, InferenceRequest {
  /** Receives the result; without one it stays on the head, to be fetched by `attachRows`. */
  readonly sink?: RowSink | undefined;
}

/**
 * Throws HEAD_UNREACHABLE after `connectTimeoutMs` at the latest, VERSION_MISMATCH, UNAUTHORIZED (not a member, or no longer),
 * WRONG_HEAD, or USAGE for an invalid address.
 */
export async function connectClient(options: ClientOptions): Promise<ClusterClient> {
  const { host, portBase, connectTimeoutMs = 4000, blocks = 'auto', logger = silentLogger, signal } = options;
  signal?.throwIfAborted();
  const endpoint = { host, portBase };
  const { membership = membershipAt(endpoint) } = options;
  const route = (): HeadRoute => routeToHead({ endpoint, wire: blocks === 'wire', membership });
  const name = new HostName(host);
  let client: ClusterClient | undefined;
  const giveUp = (): void => void client?.close();
  signal?.addEventListener('abort', giveUp);
  try {
    client = new ClusterClient(endpoint, { route, blocks, logger });
    await client.greet(connectTimeoutMs);
    return client;
  } catch (error) {
    await client?.close();
    throw signal?.aborted === true ? signal.reason : await name.explain(error);
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

interface ClusterClientOptions {
  readonly route: () => HeadRoute;
  readonly blocks: 'auto' | 'wire';
  readonly logger: Logger;
}

/** A connection to a head. It carries any number of tasks; one per process is enough. */
export class ClusterClient {
  readonly #transport: Transport;
  readonly #board: TaskBoard;
  readonly #blocks: 'auto' | 'wire';
  #epoch = 0;

  /** @internal Use `connectClient`. */
  constructor(endpoint: Endpoint, { route, blocks, logger }: ClusterClientOptions) {
    this.#blocks = blocks;
    const events = {
      pushed: (push: Push): void => this.#board.pushed(push),
      returned: (greeting: Message<'greeting'>): void => this.#returned(greeting),
    };
    this.#transport = new Transport(new HeadLink({ endpoint, route, events, logger }));
    this.#board = new TaskBoard(this.#transport);
  }

  /** @internal */
  async greet(timeoutMs: number): Promise<void> {
    const { epoch, store } = await this.#transport.link.greet({ timeoutMs });
    this.#epoch = epoch;
    this.#adoptStore(store);
  }

  /** Whether operands and results move through files that this process shares with the head. */
  get sharesStore(): boolean {
    return this.#transport.store !== null;
  }

  /** Uploads a matrix that several products use. The reference is valid only for the side that it was put for. */
  putMatrix(source: MatrixSource, role: OperandSide): Promise<MatrixRef> {
    return putMatrix(this.#transport, source, role);
  }

  /**
   * C = A * B, with A m x k, B k x n and C m x n, row-major; float32 and float64 keep their type, int8 gives int32. Resolves when the
   * task is durable on the head; operands may still be in transfer (see `uploaded`). Throws SHAPE_MISMATCH, BAD_DATA, TOO_LARGE, USAGE,
   * QUOTA, DISK_FULL and HEAD_UNREACHABLE; later failures reject the handle's `wait`.
   */
  async multiply({ a, b, grid, sink, ...request }: MultiplyRequest): Promise<TaskHandle> {
    const spec = specOfProduct({ a, b, grid });
    const result = sink === undefined ? null : matrixResult(resultShape(spec), sink);
    const blocks = productBlocks({ a, b });
    return this.#board.submit({ type: 'matrix_mult', spec, blocks, result, ...(await this.#terms(request)) });
  }

  /** A diagnostic: `count` subtasks that carry some bytes to a node and back. Throws USAGE, QUOTA and DISK_FULL. */
  async echo({ count, bytes, batch, window, ...request }: EchoRequest): Promise<TaskHandle> {
    const given = Object.entries({ count, bytes, batch, window }).filter(([, value]) => value !== undefined);
    const spec = Object.fromEntries(given);
    return this.#board.submit({ type: 'echo', spec, blocks: [], result: null, ...(await this.#terms(request)) });
  }

  /**
   * Trains a network; the time limit is 24 h by default. Resolves when the task is durable on the head; samples may still be in transfer
   * (see `uploaded`). Throws USAGE, BAD_MODEL, BAD_DATA, SHAPE_MISMATCH, TOO_LARGE, CHECKPOINT_MISMATCH, QUOTA and DISK_FULL.
   */
  async train({ model, data, options, checkpoint, ...request }: TrainRequest): Promise<TrainingHandle> {
    const { spec, blocks } = trainingSubmission({ model, data, options, checkpoint });
    const terms = await this.#terms({ ...request, timeoutMs: request.timeoutMs ?? TRAINING_TIMEOUT_MS });
    checkBatchFor(terms.nodes, spec);
    const handle = await this.#board.submit({ type: 'train', spec, blocks, result: null, ...terms });
    return new TrainingHandle(handle, () => fetchCheckpoint(this.#transport, handle.taskId));
  }

  /**
   * Y = model(X), row by row: X is rows x the input's shape, Y is rows x the output's, as declared by the ONNX model or `outputShape`.
   * Resolves when the task is durable on the head; rows may still be in transfer (see `uploaded`). Throws BAD_MODEL, BAD_DATA,
   * SHAPE_MISMATCH, TOO_LARGE, USAGE, QUOTA and DISK_FULL.
   */
  async infer({ model, input, outputShape, rowsPerBlock, sink, ...request }: InferRequest): Promise<TaskHandle> {
    const asked = { model, input, outputShape, rowsPerBlock };
    const spec = inferenceSpec(asked);
    const blocks = inferenceBlocks(spec, asked);
    const result = sink === undefined ? null : rowResult(spec, sink);
    return this.#board.submit({ type: 'infer', spec, blocks, result, ...(await this.#terms(request)) });
  }

  /**
   * The latest checkpoint of a training run in any state. Throws TASK_UNKNOWN, USAGE for a task of another type, BLOCK_MISSING before the
   * first checkpoint, and TASK_NOT_DONE when it changes faster than it can be fetched.
   */
  async readCheckpoint(taskId: string): Promise<CheckpointFile> {
    return readCheckpoint(
      await fetchCheckpoint(this.#transport, checkedId(taskId)),
      `the checkpoint of task ${taskId}`,
    );
  }

  /** Writes the latest checkpoint to a file, atomically. Throws as `readCheckpoint` does, BAD_DATA and DISK_FULL. */
  async checkpoint(taskId: string, path: string): Promise<void> {
    writeCheckpoint(path, await fetchCheckpoint(this.#transport, checkedId(taskId)));
  }

  /**
   * Follows a task that is already on the head, and fetches its result if a sink is given. Throws TASK_UNKNOWN, and with a sink USAGE for
   * a task that is not a product.
   */
  async attach(taskId: string, sink?: MatrixSink): Promise<TaskHandle> {
    const status = await this.task(taskId);
    const result = sink === undefined ? null : matrixResult(resultShapeOf(status), sink);
    return this.#board.follow({ taskId: checkedId(taskId), result, timeoutMs: null, signal: null });
  }

  /** Follows an inference that is already on the head, and fetches its rows. Throws TASK_UNKNOWN, and USAGE for a task of another type. */
  async attachRows(taskId: string, sink: RowSink): Promise<TaskHandle> {
    const result = rowResult(rowShapeOf(await this.task(taskId)), sink);
    return this.#board.follow({ taskId: checkedId(taskId), result, timeoutMs: null, signal: null });
  }

  /** The latest 100 tasks that this client may see, newest first. Throws HEAD_UNREACHABLE after 10 s, as the other requests below do. */
  async tasks(): Promise<TaskBrief[]> {
    const { message } = await this.#transport.link.ask('listTasks', {}, { timeoutMs: REQUEST_MS });
    return message.tasks;
  }

  /** Throws TASK_UNKNOWN, also for a task of another member. */
  async task(taskId: string): Promise<TaskStatus> {
    const { message } = await this.#transport.link.ask('show', { task: checkedId(taskId) }, { timeoutMs: REQUEST_MS });
    return message.status;
  }

  /**
   * Compares the head's journal, the broker's event stream and the results; disagreements are in `problems`. Throws TASK_UNKNOWN, TIMEOUT
   * after `timeoutMs` (10 min by default) and HEAD_UNREACHABLE.
   */
  audit(
    taskId: string,
    { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number | undefined } = {},
  ): Promise<AuditReport> {
    return auditTask(this.#transport, checkedId(taskId), timeoutMs);
  }

  /** Throws FORBIDDEN for a provider, which may not list nodes. */
  async nodes(): Promise<NodeStatus[]> {
    return (await this.cluster()).nodes;
  }

  /** The nodes, and the state of the broker behind the head. */
  async cluster(): Promise<{ readonly nodes: NodeStatus[]; readonly backbone: BackboneReport }> {
    const { message } = await this.#transport.link.ask('listNodes', {}, { timeoutMs: REQUEST_MS });
    return message;
  }

  /** No effect on a task that has ended. Throws TASK_UNKNOWN, also for a task of another member. */
  async cancel(taskId: string): Promise<void> {
    await this.#transport.link.ask('cancel', { task: checkedId(taskId) }, { timeoutMs: REQUEST_MS });
  }

  /** Milliseconds since the head was last heard. While a task runs, the head sends something four times a second. */
  get silentMs(): number {
    return this.#transport.link.silentMs;
  }

  /** Accepted tasks go on without this client, except those it gave up, which are returned. Open handles reject with INTERRUPTED. */
  async close(): Promise<GivenUp> {
    this.#board.failAll(new MusterError('INTERRUPTED', 'the client was closed'));
    const givenUp = await this.#transport.cancellations.outcome();
    this.#transport.link.close();
    return givenUp;
  }

  async #terms({
    nodes,
    waitNodesMs = WAIT_NODES_MS,
    timeoutMs = TIMEOUT_MS,
    durability = 'mirrored',
    signal,
  }: TaskRequest): Promise<Pick<Submission, 'nodes' | 'waitNodesMs' | 'timeoutMs' | 'durability' | 'signal'>> {
    const count = nodes ?? (await this.readyNodes());
    return { nodes: count, waitNodesMs, timeoutMs, durability, signal: signal ?? null };
  }

  /** Nodes that are ready or busy, but at least one, because a task may wait for its first node. */
  async readyNodes(): Promise<number> {
    const nodes = await this.nodes();
    return Math.max(1, nodes.filter(({ state }) => state === 'ready' || state === 'busy').length);
  }

  #returned({ epoch, store }: Message<'greeting'>): void {
    const restarted = epoch !== this.#epoch;
    this.#epoch = epoch;
    this.#adoptStore(store);
    this.#board.returned({ restarted });
  }

  #adoptStore(offer: StoreOffer): void {
    this.#transport.store = this.#blocks === 'wire' ? null : openSharedBlocks(offer);
  }
}

function checkedId(text: string): TaskId {
  if (isTaskId(text)) return text;
  throw new MusterError('TASK_UNKNOWN', `'${text}' is not the id of a task`, {
    why: 'an id has 16 digits of 0-9 and a-f',
    fix: 'user-client tasks ls',
  });
}
