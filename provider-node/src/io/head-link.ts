/** The sockets of one session. When the connection breaks, the whole link is discarded and a new session is requested. */
import {
  decode,
  isMusterError,
  limits,
  providerTopic,
  taskTopic,
  sealed,
  type Envelope,
  type Fields,
  type Logger,
  type SessionId,
  type TaskId,
} from '@muster/shared';
import { dialOptions, RequestClient, expectType, SendQueue, type BlockStore, type HeadRoute } from '@muster/shared/io';
import { Push, Request, Subscriber } from 'zeromq';
import { BlockFetcher } from './block-fetcher.ts';

const LIVENESS = {
  heartbeatInterval: 500,
  heartbeatTimeout: 1500,
  reconnectInterval: 100,
  reconnectMaxInterval: 1000,
  linger: 0,
};

const MISSES_MAX = 2;

export interface LinkOptions {
  readonly route: HeadRoute;
  readonly registered: Fields<'registered'>;
  readonly blocks: BlockStore;
  readonly logger: Logger;
  readonly onMessage: (envelope: Envelope) => void;
  /** Called with the reason; may be called more than once until the link is closed. */
  readonly onBroken: (reason: string) => void;
}

export class HeadLink {
  readonly session: SessionId;
  readonly fetcher: BlockFetcher;
  readonly #options: LinkOptions;
  readonly #tasks: Subscriber;
  /** Topics of the tasks whose operands it listens to. */
  readonly #topics = new Map<TaskId, string>();
  readonly #results: Push;
  readonly #resultQueue: SendQueue;
  readonly #heartbeats: RequestClient;
  #closed = false;
  #misses = 0;
  /** Number of the last message on our topic, and of the last one that the head reported as sent. */
  #seq = 0;
  #headSeq = 0;

  constructor(options: LinkOptions) {
    const { route, blocks, logger } = options;
    const { addresses } = route;
    const dialled = dialOptions(route);
    this.#options = options;
    this.session = options.registered.session;
    this.#tasks = new Subscriber({
      ...LIVENESS,
      ...dialled,
      maxMessageSize: limits.messageBytesMax.value,
      receiveHighWaterMark: 1000,
    });
    this.#results = new Push({ ...LIVENESS, ...dialled, immediate: true, sendHighWaterMark: 64 });
    this.#resultQueue = new SendQueue(this.#results, () => undefined);
    this.#heartbeats = new RequestClient(Request, route, 'heartbeats');
    this.fetcher = new BlockFetcher(route, blocks, { logger });
    // Results in flight are lost with their connection, which nothing else would detect: a new session sends all of them again.
    for (const socket of [this.#tasks, this.#results])
      socket.events.on('disconnect', () => this.#broken('the connection to the head closed'));
    this.#tasks.connect(addresses.tasks);
    this.#tasks.subscribe(providerTopic(this.session));
    this.#results.connect(addresses.results);
    void this.#receive();
  }

  /** Subscribes to shared operands of the task, on the topic that its key names. */
  listenTo(task: TaskId, topicKey: string): void {
    if (this.#closed) return;
    this.#topics.set(task, taskTopic(topicKey));
    this.#tasks.subscribe(taskTopic(topicKey));
  }

  stopListening(task: TaskId): void {
    const topic = this.#topics.get(task);
    if (this.#closed || topic === undefined) return;
    this.#topics.delete(task);
    this.#tasks.unsubscribe(topic);
  }

  /** A frame from `encode`, which is sealed here, and an optional bulk frame. */
  push([head, ...bytes]: readonly [Buffer, ...Uint8Array[]]): void {
    if (!this.#closed) this.#resultQueue.push([sealed(head, this.#options.route.seal), ...bytes]);
  }

  /**
   * Resolves to null, or to why the session is over: refused or unknown to the head, messages were lost, or MISSES_MAX heartbeats went
   * unanswered.
   */
  async beat(facts: Omit<Fields<'heartbeat'>, 'session' | 'seq'>): Promise<string | null> {
    const expected = this.#headSeq;
    try {
      const { known, seq } = expectType(
        await this.#heartbeats.ask('heartbeat', { session: this.session, seq: this.#seq, ...facts }),
        'beat',
      );
      this.#misses = 0;
      this.#headSeq = seq;
      if (!known) return 'the head does not know this session';
      // What the head had sent by the last heartbeat must have arrived by now.
      return this.#seq < expected ? `messages ${this.#seq + 1} to ${expected} were lost` : null;
    } catch (error) {
      if (isMusterError(error) && error.code === 'UNAUTHORIZED') return `${error.message}: ${error.why}`;
      this.#misses += 1;
      return this.#misses < MISSES_MAX || this.#closed ? null : 'two heartbeats were not answered';
    }
  }

  /** Resolves when everything pushed has left this process, or after `withinMs`. */
  async flush(withinMs: number): Promise<void> {
    await Promise.race([this.#resultQueue.drained(), new Promise((resolve) => setTimeout(resolve, withinMs).unref())]);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#tasks.close();
    this.#results.close();
    this.#heartbeats.close();
    this.fetcher.close();
  }

  #count(seq: number): void {
    if (seq !== this.#seq + 1) this.#broken(`messages ${this.#seq + 1} to ${seq - 1} were lost`);
    this.#seq = seq;
  }

  #broken(reason: string): void {
    if (!this.#closed) this.#options.onBroken(reason);
  }

  async #receive(): Promise<void> {
    for await (const [, ...frames] of this.#tasks) {
      try {
        const envelope = decode(frames);
        if (envelope.seq > 0) this.#count(envelope.seq);
        this.#options.onMessage(envelope);
      } catch (error) {
        this.#options.logger.warn(
          { error: isMusterError(error) ? `${error.message}: ${error.why}` : error },
          'a message from the head was dropped',
        );
      }
    }
  }
}
