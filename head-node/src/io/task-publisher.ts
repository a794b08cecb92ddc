/**
 * The XPUB sockets. Everything for one provider goes to its own topic, so a frozen provider fills only its own pipe; operand blocks that
 * several providers need go once to their task's topic. Subscriptions are granted one by one: a session's topic to the first who asks for
 * it, a task's topic, whose random name only its team is told, while the task is open; never a prefix of several topics.
 */
import {
  encode,
  limits,
  providerTopic,
  taskTopic,
  type BlockId,
  type Fields,
  type Logger,
  type MessageType,
  type SessionId,
  type TaskId,
} from '@muster/shared';
import { SendQueue, type Frames } from '@muster/shared/io';
import { randomBytes } from 'node:crypto';
import type { Origin } from '../trust/peer.ts';
import type { GuardedPublisher } from './guarded-publisher.ts';

export interface Subscriptions {
  /** A provider has subscribed to its topic, or its subscription went away with its connection. */
  readonly onOpened: (session: SessionId) => void;
  readonly onClosed: (session: SessionId) => void;
  /** A subscription was refused. */
  readonly onRefused: (origin: Origin, topic: string) => void;
}

export interface PublisherSocket {
  readonly origin: Origin;
  readonly tasks: GuardedPublisher;
}

interface Lane extends PublisherSocket {
  readonly queue: SendQueue;
}

export interface BlockSource {
  bytesOf(id: BlockId): number | undefined;
  read(id: BlockId, offset: number, length: number): Uint8Array;
}

const PROVIDER_TOPIC = /^p\.([0-9a-f]{32})\.$/;
const SUBSCRIBED = 1;

export class TaskPublisher {
  readonly #lanes: readonly Lane[];
  readonly #epoch: number;
  readonly #logger: Logger;
  readonly #sequences = new Map<string, number>();
  readonly #undelivered = new WeakMap<Frames, () => void>();
  /** Where a session listens, and how many subscriptions to its topic there are. */
  readonly #listeners = new Map<SessionId, { readonly lane: Lane; requests: number }>();

  /** Of tasks that are under way: each topic has a name that cannot be guessed. */
  readonly #topicKeys = new Map<TaskId, string>();
  readonly #topics = new Set<string>();
  readonly #muted = new Set<TaskId>();

  constructor(sockets: readonly PublisherSocket[], epoch: number, logger: Logger) {
    this.#epoch = epoch;
    this.#logger = logger;
    const refused = (frames: Frames, error: unknown): void => this.#refused(frames, error);
    this.#lanes = sockets.map((socket) => ({ ...socket, queue: new SendQueue(socket.tasks, refused) }));
  }

  /** The receive loop must run all the time: libzmq handles subscriptions only when the socket is touched. */
  async watch(subscriptions: Subscriptions): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => this.#watchLane(lane, subscriptions)));
  }

  async #watchLane(lane: Lane, subscriptions: Subscriptions): Promise<void> {
    for await (const [frame] of lane.tasks) {
      const topic = frame?.toString('latin1', 1) ?? '';
      if (frame?.[0] === SUBSCRIBED) this.#subscribed(lane, topic, subscriptions);
      else this.#unsubscribed(lane, topic, subscriptions);
    }
  }

  #subscribed(lane: Lane, topic: string, { onOpened, onRefused }: Subscriptions): void {
    const session = sessionOf(topic);
    const listener = session === undefined ? undefined : this.#listeners.get(session);
    if (listener !== undefined) listener.requests += 1;
    if (listener !== undefined || (session === undefined && !this.#topics.has(topic)))
      return onRefused(lane.origin, topic);
    lane.tasks.grant(topic);
    if (session === undefined) return;
    this.#listeners.set(session, { lane, requests: 1 });
    onOpened(session);
  }

  #unsubscribed(lane: Lane, topic: string, { onClosed }: Subscriptions): void {
    lane.tasks.withdraw(topic);
    const session = sessionOf(topic);
    const listener = session === undefined ? undefined : this.#listeners.get(session);
    if (session === undefined || listener === undefined) return;
    listener.requests -= 1;
    if (listener.requests > 0) return;
    this.#listeners.delete(session);
    this.#sequences.delete(topic);
    onClosed(session);
  }

  /** Returns the frames behind the topic. `onRefused`: the provider's pipe is full or gone; the message was not sent. */
  publish<T extends MessageType>(
    session: SessionId,
    { type, fields, payload }: Publication<T>,
    onRefused?: () => void,
  ): readonly Uint8Array[] {
    const topic = providerTopic(session);
    const head = encode(type, fields, { epoch: this.#epoch, seq: this.#next(topic) });
    const message = payload == null ? [head] : [head, payload];
    const frames: Frames = [topic, ...message];
    if (onRefused !== undefined) this.#undelivered.set(frames, onRefused);
    (this.#listeners.get(session)?.lane ?? this.#lanes[0])?.queue.push(frames);
    return message;
  }

  /** Number of the last message on a provider's topic: a provider that has seen fewer has missed some. */
  sequenceOf(session: SessionId): number {
    return this.#sequences.get(providerTopic(session)) ?? 0;
  }

  /** An expelled node may still be subscribed: no more operands go to the task's topic, and its nodes fetch them instead. */
  mute(task: TaskId): void {
    this.#muted.add(task);
  }

  /** Tells the session the name of the task's topic, to which it may subscribe from now on. */
  openTask(session: SessionId, task: TaskId): void {
    const topicKey = this.#topicKeys.get(task) ?? randomBytes(16).toString('hex');
    this.#topicKeys.set(task, topicKey);
    this.#topics.add(taskTopic(topicKey));
    this.publish(session, { type: 'open', fields: { task, topicKey } });
  }

  /** In chunks on the task's topic. A subscriber that misses one fetches the block instead. */
  shareBlock(task: TaskId, block: BlockId, source: BlockSource): void {
    const key = this.#topicKeys.get(task);
    if (key === undefined || this.#muted.has(task)) return;
    const topic = taskTopic(key);
    const total = source.bytesOf(block) ?? 0;
    for (let offset = 0; offset < total; offset += limits.chunkBytesMax.value) {
      const bytes = source.read(block, offset, Math.min(limits.chunkBytesMax.value, total - offset));
      this.#toAll([topic, encode('block', { block, offset, total }), bytes]);
    }
  }

  closeTask(task: TaskId): void {
    this.#muted.delete(task);
    const key = this.#topicKeys.get(task);
    if (key === undefined) return;
    this.#toAll([taskTopic(key), encode('closed', { task })]);
    this.#topicKeys.delete(task);
    this.#topics.delete(taskTopic(key));
  }

  #toAll(frames: Frames): void {
    for (const { queue } of this.#lanes) queue.push(frames);
  }

  #next(topic: string): number {
    const seq = (this.#sequences.get(topic) ?? 0) + 1;
    this.#sequences.set(topic, seq);
    return seq;
  }

  #refused(frames: Frames, error: unknown): void {
    this.#logger.debug({ topic: String(frames[0]), error: String(error) }, 'a message could not be published');
    this.#undelivered.get(frames)?.();
  }
}

export interface Publication<T extends MessageType> {
  readonly type: T;
  readonly fields: Fields<T>;
  readonly payload?: Uint8Array | null;
}

const sessionOf = (topic: string): SessionId | undefined => PROVIDER_TOPIC.exec(topic)?.[1] as SessionId | undefined;
