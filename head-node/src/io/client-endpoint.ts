/**
 * The ROUTER sockets: clients submit, send operands, watch and fetch; providers fetch blocks. Every request carries a number that its
 * answer repeats. Messages that are pushed to a watching client name the task instead.
 */
import {
  encode,
  isMusterError,
  limits,
  MusterError,
  PROTOCOL_VERSION,
  toWireError,
  versionMismatch,
  type Envelope,
  type Fields,
  type Logger,
  type MessageType,
  type StoreOffer,
  type TaskId,
  type TaskStatus,
  type TileNotice,
} from '@muster/shared';
import { freeMemory, SendQueue, type BlockStore, type Frames } from '@muster/shared/io';
import type { Router } from 'zeromq';
import type { Gate } from '../trust/gate.ts';
import type { Origin, Peer } from '../trust/peer.ts';
import type { Trust } from '../trust/trust.ts';
import type { Audience } from './audience.ts';
import type { ClientRequests } from './client-requests.ts';

/** A connection: the number of its socket, a dot, and the routing id that ROUTER has given it, hex. */
type ClientName = string;

export interface ClientSocket {
  readonly origin: Origin;
  readonly clients: Router;
}

interface Lane extends ClientSocket {
  readonly queue: SendQueue;
}

export interface ClientEndpointOptions {
  readonly epoch: number;
  readonly headId: string;
  readonly store: StoreOffer;
  readonly blocks: BlockStore;
  readonly trust: Trust;
  readonly logger: Logger;
}

/** An answer, or a message that is pushed to a watching client. */
export interface Reply<T extends MessageType = MessageType> {
  readonly type: T;
  readonly fields: Fields<T>;
  readonly payload?: Uint8Array;
}

export class ClientEndpoint implements Audience {
  readonly #lanes: readonly Lane[];
  readonly #options: ClientEndpointOptions;
  #requests: ClientRequests | null = null;
  /** The clients that watch each task, and their peers. */
  readonly #watchers = new Map<TaskId, Map<ClientName, Peer>>();
  /** Submissions that wait for the journal. */
  readonly #submitters = new Map<TaskId, { client: ClientName; request: number }[]>();

  constructor(sockets: readonly ClientSocket[], options: ClientEndpointOptions) {
    this.#options = options;
    this.#lanes = sockets.map((socket, at) => ({
      ...socket,
      queue: new SendQueue(socket.clients, (frames) => this.#refused(at, frames)),
    }));
  }

  async run(requests: ClientRequests): Promise<void> {
    this.#requests = requests;
    await Promise.all(this.#lanes.map((lane, at) => this.#runLane(lane, at, requests)));
  }

  /**
   * Back-pressure: no request is read while more than ANSWERS_AHEAD answers wait for the socket to take or refuse them, as each may hold a
   * MiB.
   */
  async #runLane({ clients, origin, queue }: Lane, at: number, requests: ClientRequests): Promise<void> {
    for await (const [id, ...frames] of clients) {
      if (id !== undefined) this.#serve({ client: nameOf(at, id), origin }, frames, requests);
      if (queue.size > ANSWERS_AHEAD) await queue.drained();
    }
  }

  /** Resolves when the sockets have taken or refused everything that was sent. */
  async drained(): Promise<void> {
    await Promise.all(this.#lanes.map(({ queue }) => queue.drained()));
  }

  get watched(): Iterable<TaskId> {
    return this.#watchers.keys();
  }

  accepted(task: TaskId): void {
    for (const { client, request } of this.#submitters.get(task) ?? [])
      this.#send(client, { type: 'accepted', fields: { request, task } });
    this.#submitters.delete(task);
  }

  tile(task: TaskId, tile: TileNotice): void {
    this.#broadcast(task, { type: 'tiles', fields: { task, tiles: [tile] } });
  }

  progress(task: TaskId, status: TaskStatus): void {
    this.#broadcast(task, { type: 'progress', fields: { task, status } });
  }

  ended(task: TaskId, status: TaskStatus): void {
    this.#broadcast(task, { type: 'ended', fields: { task, status } });
    this.#watchers.delete(task);
    this.#requests?.ended();
  }

  #broadcast(task: TaskId, reply: Reply): void {
    for (const client of this.#watchers.get(task)?.keys() ?? []) this.#send(client, reply);
  }

  #serve({ client, origin }: Sender, frames: readonly Buffer[], requests: ClientRequests): void {
    let request = 0;
    try {
      const entrance = { origin, channel: 'clients' } as const;
      const envelope = this.#gate.decode(entrance, frames);
      request = 'request' in envelope.message ? envelope.message.request : 0;
      const peer = this.#gate.admit(entrance, envelope);
      for (const reply of this.#answer({ client, peer }, envelope, requests)) this.#send(client, reply);
    } catch (error) {
      this.#refuse(client, request, error);
    }
  }

  get #gate(): Gate {
    return this.#options.trust.gate;
  }

  /** The answers; an empty list when the answer comes later. */
  #answer({ client, peer }: Asking, { message, payload }: Envelope, requests: ClientRequests): readonly Reply[] {
    switch (message.type) {
      case 'greet':
        return [this.#greeting(message)];
      case 'submit':
        this.#submit({ client, peer }, message, requests);
        return [];
      case 'bind':
        return [{ type: 'bound', fields: { request: message.request, wanted: requests.bind(message) } }];
      case 'put':
        return [{ type: 'stored', fields: { request: message.request, complete: requests.put(message, payload) } }];
      case 'sync':
        void this.#sync(client, message, requests);
        return [];
      case 'fetch':
        return [this.#chunk(message)];
      case 'fetchResult':
        return [requests.fetchResult(message)];
      case 'probe':
        return [probed(message)];
      case 'watch':
        if (!requests.hasEnded(message.task)) return this.#watch({ client, peer }, message, requests);
        void this.#watchEnded(client, message, requests);
        return [];
      case 'cancel':
        if (requests.cancel(message.task)) this.#options.trust.cancelled(message.task, peer);
        return [{ type: 'done', fields: { request: message.request } }];
      case 'audit':
        void this.#audit(client, message, requests);
        return [];
      case 'show':
        return [{ type: 'task', fields: { request: message.request, status: requests.show(message.task) } }];
      case 'listTasks':
        return [{ type: 'tasks', fields: { request: message.request, tasks: requests.tasks(this.#visibleTo(peer)) } }];
      case 'listNodes':
        return [
          {
            type: 'nodes',
            fields: { request: message.request, nodes: requests.nodes(), backbone: requests.backbone() },
          },
        ];
      default:
        throw new MusterError('PROTOCOL', 'a message came on the wrong channel', { why: message.type });
    }
  }

  #submit({ client, peer }: Asking, message: Fields<'submit'>, requests: ClientRequests): void {
    const { task, request } = message;
    const { trust } = this.#options;
    const isNew = !requests.isKnown(task);
    const submission = this.#admitted({ client, peer }, message, requests);
    this.#submitters.set(task, [...(this.#submitters.get(task) ?? []), { client, request }]);
    if (isNew) trust.submitting(task, peer, message.taskType);
    requests.submit(submission);
  }

  /** Checks a submission, and notes a refused one in the audit log. The task gets its owner only after this. */
  #admitted(
    { peer }: Asking,
    message: Fields<'submit'>,
    requests: ClientRequests,
  ): ReturnType<ClientRequests['admit']> {
    const { trust } = this.#options;
    try {
      return requests.admit(message, trust.userOf(peer));
    } catch (error) {
      trust.submissionRefused(message.task, peer, error);
      throw error;
    }
  }

  #visibleTo(peer: Peer): (task: TaskId) => boolean {
    return (task) => this.#gate.mayReach(peer, task, 'listTasks');
  }

  #greeting({ request, version }: Fields<'greet'>): Reply {
    const { epoch, headId, store } = this.#options;
    if (version === PROTOCOL_VERSION) return { type: 'greeting', fields: { request, epoch, head: headId, store } };
    throw versionMismatch(version, 'this client', 'the head');
  }

  #chunk({ request, block, offset, length }: Fields<'fetch'>): Reply {
    const { blocks } = this.#options;
    const bytes = blocks.read(block, offset, Math.min(length, limits.chunkBytesMax.value));
    return { type: 'chunk', fields: { request, total: blocks.bytesOf(block) ?? 0 }, payload: bytes };
  }

  /** Subscribes the client to the task; the answer holds the tiles and the status so far. */
  #watch({ client, peer }: Asking, { request, task }: Fields<'watch'>, requests: ClientRequests): Reply[] {
    const progress: Reply = { type: 'progress', fields: { task, status: requests.show(task) } };
    this.#watchers.set(task, (this.#watchers.get(task) ?? new Map<ClientName, Peer>()).set(client, peer));
    return [{ type: 'done', fields: { request } }, ...tileNotices(task, requests.tiles(task)), progress];
  }

  /** Sends everything there is; the task has ended, so nothing follows. */
  async #watchEnded(client: ClientName, { request, task }: Fields<'watch'>, requests: ClientRequests): Promise<void> {
    try {
      await requests.settled(task);
      const notices = tileNotices(task, requests.tiles(task));
      const ended: Reply = { type: 'ended', fields: { task, status: requests.show(task) } };
      for (const reply of [{ type: 'done', fields: { request } } as const, ...notices, ended])
        this.#send(client, reply);
    } catch (error) {
      this.#refuse(client, request, error);
    }
  }

  async #sync(client: ClientName, { request, task }: Fields<'sync'>, requests: ClientRequests): Promise<void> {
    try {
      await requests.sync(task);
      this.#send(client, { type: 'synced', fields: { request, epoch: this.#options.epoch } });
    } catch (error) {
      this.#refuse(client, request, error);
    }
  }

  async #audit(client: ClientName, { request, task }: Fields<'audit'>, requests: ClientRequests): Promise<void> {
    try {
      this.#send(client, { type: 'audited', fields: { request, ...(await requests.audit(task)) } });
    } catch (error) {
      this.#refuse(client, request, error);
    }
  }

  #refuse(client: ClientName, request: number, error: unknown): void {
    if (!isMusterError(error)) this.#options.logger.error({ error }, 'a client request broke its handler');
    this.#send(client, { type: 'error', fields: { request, error: toWireError(error) } });
  }

  #send(client: ClientName, { type, fields, payload }: Reply): void {
    const frame = encode(type, fields, { epoch: this.#options.epoch, seq: 0 });
    const [lane, id = ''] = client.split('.');
    const identity = Buffer.from(id, 'hex');
    this.#lanes[Number(lane)]?.queue.push(payload === undefined ? [identity, frame] : [identity, frame, payload]);
  }

  /** Nothing is pushed to this member's connections any more. */
  expel(identity: string): void {
    for (const watchers of this.#watchers.values())
      for (const [client, peer] of watchers) if (peer.identity === identity) watchers.delete(client);
  }

  /**
   * The socket refused frames: its queue for this client is full, or the client is gone. The memory is freed at once, because such a client
   * may ask again and again.
   */
  #refused(lane: number, [id, , payload]: Frames): void {
    if (payload instanceof Uint8Array) freeMemory(payload);
    this.#forget(nameOf(lane, Buffer.from(id ?? '')));
  }

  /** The client is gone or does not read; it watches again when it is back. */
  #forget(client: ClientName): void {
    for (const watchers of this.#watchers.values()) watchers.delete(client);
  }
}

/** In a buffer of its own, because that of a refused answer is freed. */
function probed({ request, bytes }: Fields<'probe'>): Reply {
  const payload = new Uint8Array(Math.min(bytes, limits.chunkBytesMax.value));
  return { type: 'chunk', fields: { request, total: payload.length }, payload };
}

function tileNotices(task: TaskId, tiles: readonly TileNotice[]): Reply[] {
  const notices: Reply[] = [];
  for (let at = 0; at < tiles.length; at += TILES_PER_MESSAGE)
    notices.push({ type: 'tiles', fields: { task, tiles: tiles.slice(at, at + TILES_PER_MESSAGE) } });
  return notices;
}

const nameOf = (lane: number, id: Buffer): ClientName => `${lane}.${id.toString('hex')}`;

interface Sender {
  readonly client: ClientName;
  readonly origin: Origin;
}

interface Asking {
  readonly client: ClientName;
  readonly peer: Peer;
}

const TILES_PER_MESSAGE = 100;
const ANSWERS_AHEAD = 32;
