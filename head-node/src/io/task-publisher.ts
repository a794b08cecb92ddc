/**
 * The XPUB socket. Everything for one provider goes to its own topic, so a frozen provider fills only its own pipe; operand
 * blocks that several providers need go once to their task's topic.
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
import type { XPublisher } from 'zeromq';

export interface Subscriptions {
  /** A provider has subscribed to its topic, or its subscription went away with its connection. */
  readonly onOpened: (session: SessionId) => void;
  readonly onClosed: (session: SessionId) => void;
}

export interface BlockSource {
  bytesOf(id: BlockId): number | undefined;
  read(id: BlockId, offset: number, length: number): Uint8Array;
}

const PROVIDER_TOPIC = /^p\.([0-9a-f]{32})\.$/;

export class TaskPublisher {
  readonly #socket: XPublisher;
  readonly #queue: SendQueue;
  readonly #epoch: number;
  readonly #logger: Logger;
  readonly #sequences = new Map<string, number>();
  readonly #undelivered = new WeakMap<Frames, () => void>();

  constructor(socket: XPublisher, epoch: number, logger: Logger) {
    this.#socket = socket;
    this.#epoch = epoch;
    this.#logger = logger;
    this.#queue = new SendQueue(socket, (frames, error) => this.#refused(frames, error));
  }

  /** The receive loop must run all the time: libzmq handles subscriptions only when the socket is touched. */
  async watch({ onOpened, onClosed }: Subscriptions): Promise<void> {
    for await (const [frame] of this.#socket) {
      const session = PROVIDER_TOPIC.exec(frame?.toString('latin1', 1) ?? '')?.[1] as SessionId | undefined;
      if (session === undefined) continue;
      if (frame?.[0] === 1) onOpened(session);
      else {
        this.#sequences.delete(providerTopic(session));
        onClosed(session);
      }
    }
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
    this.#queue.push(frames);
    return message;
  }

  /** Number of the last message on a provider's topic: a provider that has seen fewer has missed some. */
  sequenceOf(session: SessionId): number {
    return this.#sequences.get(providerTopic(session)) ?? 0;
  }

  /** In chunks on the task's topic. A subscriber that misses one fetches the block instead. */
  shareBlock(task: TaskId, block: BlockId, source: BlockSource): void {
    const topic = taskTopic(task);
    const total = source.bytesOf(block) ?? 0;
    for (let offset = 0; offset < total; offset += limits.chunkBytesMax.value) {
      const bytes = source.read(block, offset, Math.min(limits.chunkBytesMax.value, total - offset));
      this.#queue.push([topic, encode('block', { block, offset, total }), bytes]);
    }
  }

  closeTask(task: TaskId): void {
    this.#queue.push([taskTopic(task), encode('closed', { task })]);
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
