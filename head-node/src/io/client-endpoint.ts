/**
 * The ROUTER socket: clients submit, send operands, watch and fetch; providers fetch blocks. Every request carries a number
 * that its answer repeats. What is pushed to a watching client goes by task.
 */
import {
  decode,
  encode,
  fromWireError,
  isMusterError,
  limits,
  MusterError,
  PROTOCOL_VERSION,
  toWireError,
  type Envelope,
  type Fields,
  type Logger,
  type MessageType,
  type StoreOffer,
  type TaskId,
  type TaskStatus,
  type TileNotice,
} from '@muster/shared';
import { SendQueue, type BlockStore } from '@muster/shared/io';
import type { Router } from 'zeromq';
import type { Audience } from '../driver.ts';
import type { ClientRequests } from './client-requests.ts';

/** A client as ROUTER names it: the routing id, hex. */
type ClientName = string;

export interface ClientEndpointOptions {
  readonly epoch: number;
  readonly headId: string;
  readonly store: StoreOffer;
  readonly blocks: BlockStore;
  readonly logger: Logger;
}

/** What `handle` returns: the answer, or null when it comes later. */
export interface Reply<T extends MessageType = MessageType> {
  readonly type: T;
  readonly fields: Fields<T>;
  readonly payload?: Uint8Array;
}

export class ClientEndpoint implements Audience {
  readonly #socket: Router;
  readonly #queue: SendQueue;
  readonly #options: ClientEndpointOptions;
  #requests: ClientRequests | null = null;
  readonly #watchers = new Map<TaskId, Set<ClientName>>();
  /** Submissions that wait for the journal. */
  readonly #submitters = new Map<TaskId, { client: ClientName; request: number }[]>();

  constructor(socket: Router, options: ClientEndpointOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#queue = new SendQueue(socket, ([client]) => this.#forget(Buffer.from(client ?? '').toString('hex')));
  }

  async run(requests: ClientRequests): Promise<void> {
    this.#requests = requests;
    for await (const [identity, ...frames] of this.#socket) {
      if (identity === undefined) continue;
      this.#serve(identity.toString('hex'), frames, requests);
    }
  }

  /** The socket has taken everything that was said. */
  drained(): Promise<void> {
    return this.#queue.drained();
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
    for (const client of this.#watchers.get(task) ?? []) this.#send(client, reply);
  }

  #serve(client: ClientName, frames: readonly Buffer[], requests: ClientRequests): void {
    let request = 0;
    try {
      const envelope = decode(frames);
      request = 'request' in envelope.message ? envelope.message.request : 0;
      for (const reply of this.#answer(client, envelope, requests)) this.#send(client, reply);
    } catch (error) {
      this.#refuse(client, request, error);
    }
  }

  /** The answers; an empty list when the answer comes later. */
  #answer(client: ClientName, { message, payload }: Envelope, requests: ClientRequests): readonly Reply[] {
    switch (message.type) {
      case 'greet':
        return [this.#greeting(message)];
      case 'submit':
        this.#submitters.set(message.task, [
          ...(this.#submitters.get(message.task) ?? []),
          { client, request: message.request },
        ]);
        try {
          requests.submit(message);
        } catch (error) {
          this.#submitters.delete(message.task);
          throw error;
        }
        return [];
      case 'bind':
        return [{ type: 'bound', fields: { request: message.request, wanted: requests.bind(message) } }];
      case 'put':
        return [{ type: 'stored', fields: { request: message.request, complete: requests.put(message, payload) } }];
      case 'fetch':
        return [this.#chunk(message)];
      case 'fetchResult':
        return [requests.fetchResult(message)];
      case 'watch':
        return this.#watch(client, message, requests);
      case 'cancel':
        requests.cancel(message.task);
        return [{ type: 'done', fields: { request: message.request } }];
      case 'audit':
        void this.#audit(client, message, requests);
        return [];
      case 'show':
        return [{ type: 'task', fields: { request: message.request, status: requests.show(message.task) } }];
      case 'listTasks':
        return [{ type: 'tasks', fields: { request: message.request, tasks: requests.tasks() } }];
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

  #greeting({ request, version }: Fields<'greet'>): Reply {
    const { epoch, headId, store } = this.#options;
    if (version === PROTOCOL_VERSION) return { type: 'greeting', fields: { request, epoch, head: headId, store } };
    throw fromWireError({
      code: 'VERSION_MISMATCH',
      what: 'the head speaks another protocol version',
      why: `you speak ${version}, it speaks ${PROTOCOL_VERSION}`,
      fix: 'install the same version of Muster on every machine',
    });
  }

  #chunk({ request, block, offset, length }: Fields<'fetch'>): Reply {
    const { blocks } = this.#options;
    const bytes = blocks.read(block, offset, Math.min(length, limits.chunkBytesMax.value));
    return { type: 'chunk', fields: { request, total: blocks.bytesOf(block) ?? 0 }, payload: bytes };
  }

  /** From now on everything about the task; first what there is already. */
  #watch(client: ClientName, { request, task }: Fields<'watch'>, requests: ClientRequests): Reply[] {
    const status = requests.show(task);
    const ended = requests.hasEnded(task);
    if (!ended) this.#watchers.set(task, (this.#watchers.get(task) ?? new Set()).add(client));
    const tiles = requests.tiles(task);
    const notices: Reply[] = [];
    for (let at = 0; at < tiles.length; at += TILES_PER_MESSAGE)
      notices.push({ type: 'tiles', fields: { task, tiles: tiles.slice(at, at + TILES_PER_MESSAGE) } });
    const last: Reply = ended
      ? { type: 'ended', fields: { task, status } }
      : { type: 'progress', fields: { task, status } };
    return [{ type: 'done', fields: { request } }, ...notices, last];
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
    const identity = Buffer.from(client, 'hex');
    this.#queue.push(payload === undefined ? [identity, frame] : [identity, frame, payload]);
  }

  /** It is gone or does not read: it will watch again when it is back. */
  #forget(client: ClientName): void {
    for (const watchers of this.#watchers.values()) watchers.delete(client);
  }
}

const TILES_PER_MESSAGE = 100;
