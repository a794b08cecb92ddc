import { deferred, type Logger } from '@muster/shared';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Delivery, OnDelivery, QueueSource, StreamSource } from './backbone.ts';
import { STREAM_CREDIT } from './consumer.ts';
import { Incoming, offsetArgument, offsetOf, type SourceKind } from './incoming.ts';
import type { IdleTimeout } from './idle-timeout.ts';
import { queueOf } from './topology.ts';

/** Nothing has come for so long: look whether there is still something. */
const STALL_MS = 500;
/** Messages of one chunk of a stream come closer together than this. */
const BURST_MS = 50;
const BURSTS_MAX = 20;
/** More than a chunk holds, so that no acknowledgement is needed to see its end. */
const PROBE_CREDIT = 10_000;
/** Chosen here, so that a consumer can be cancelled whose start nobody has answered yet. */
const CONSUMER_TAG = 'drain';

const nothing = (): void => undefined;

export interface DrainOptions {
  readonly onDelivery: OnDelivery;
  readonly logger: Logger;
  /** Renewed by whatever comes. */
  readonly idle: IdleTimeout;
}

/** Takes what a queue or a stream holds now; cut off by a lost connection, it goes on by the next one. */
export class DrainPass {
  readonly #contents: Contents;
  readonly #options: DrainOptions;
  #count = 0;

  constructor(source: QueueSource | StreamSource, options: DrainOptions) {
    this.#contents = 'prefetch' in source ? new QueueContents(source) : new StreamContents(source);
    this.#options = options;
  }

  /** Handed over so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * True when all is handed over, or the time limit has ended because nothing more comes; false when it has ended and the broker never said
   * what there is. Rejects with the broker's reason when the channel ends before.
   */
  async run(model: ChannelModel): Promise<boolean> {
    const opening = model.createChannel();
    const channel = await this.#options.idle.await(opening);
    if (channel) return this.#runOn(channel);
    opening.then((late) => late.close()).catch(nothing);
    return false;
  }

  async #runOn(channel: Channel): Promise<boolean> {
    const { logger, idle } = this.#options;
    const lost = lossOf(channel);
    const incoming = new Incoming(channel, this.#contents.kind, logger);
    const intake = new Intake(channel, incoming, (message) => {
      idle.renew();
      incoming.deliver(message, (delivery) => this.#handOver(delivery));
    });
    try {
      const found = await idle.await(Promise.race([lost, this.#contents.look(channel)]));
      if (found) await idle.await(Promise.race([lost, this.#contents.takeAll(channel, intake)]));
      return found !== undefined;
    } finally {
      intake.end();
    }
  }

  #handOver(delivery: Delivery): void {
    this.#count += 1;
    this.#options.onDelivery(delivery);
  }
}

/** The consumer of one channel, which stays open until the last delivery is settled: closing it earlier would hand them out again. */
class Intake {
  readonly #channel: Channel;
  readonly #incoming: Incoming;
  readonly #deliver: (message: ConsumeMessage) => void;
  #ended = false;

  constructor(channel: Channel, incoming: Incoming, deliver: (message: ConsumeMessage) => void) {
    this.#channel = channel;
    this.#incoming = incoming;
    this.#deliver = deliver;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  take(message: ConsumeMessage): void {
    if (this.#ended) this.#incoming.giveBack(message);
    else this.#deliver(message);
  }

  /** Waits for no answer: the broker may be one that gives none. */
  end(): void {
    this.#ended = true;
    this.#channel.cancel(CONSUMER_TAG).catch(nothing);
    this.#incoming.whenSettled(() => void this.#channel.close().catch(nothing));
  }
}

/** What there is to take. */
interface Contents {
  readonly kind: SourceKind;
  /** Resolves to whether something is there. */
  look(channel: Channel): Promise<boolean>;
  /** Resolves when all that was there has been taken. */
  takeAll(channel: Channel, intake: Intake): Promise<void>;
}

class QueueContents implements Contents {
  readonly kind = 'queue';
  readonly #name: string;
  readonly #prefetch: number;
  #ready = 0;

  constructor({ from, prefetch }: QueueSource) {
    this.#name = queueOf(from).name;
    this.#prefetch = prefetch;
  }

  async look(channel: Channel): Promise<boolean> {
    this.#ready = await readyIn(channel, this.#name);
    return this.#ready > 0;
  }

  async takeAll(channel: Channel, intake: Intake): Promise<void> {
    const counter = new Counter();
    const onMessage = (message: ConsumeMessage | null): void => {
      if (!message) return;
      intake.take(message);
      counter.increment();
    };
    await channel.prefetch(this.#prefetch);
    await channel.consume(this.#name, onMessage, { consumerTag: CONSUMER_TAG });
    await untilEmpty(counter, this.#ready, () => (intake.isEnded ? 0 : readyIn(channel, this.#name)));
  }
}

class StreamContents implements Contents {
  readonly kind = 'stream';
  readonly #name: string;
  readonly #credit: number;
  #next: StreamSource['offset'];
  #last = -1;

  constructor({ from, offset }: StreamSource) {
    this.#name = queueOf(from).name;
    this.#credit = STREAM_CREDIT[from.to];
    this.#next = offset;
  }

  async look(channel: Channel): Promise<boolean> {
    this.#last = await lastOffset(channel, this.#name);
    return typeof this.#next === 'number' ? this.#next <= this.#last : this.#last >= 0;
  }

  async takeAll(channel: Channel, intake: Intake): Promise<void> {
    const { promise, resolve } = deferred<void>();
    const onMessage = (message: ConsumeMessage | null): void => {
      const offset = message ? offsetOf(message) : Infinity;
      if (message && offset <= this.#last) this.#take(message, offset, intake);
      if (offset >= this.#last) resolve();
    };
    await channel.prefetch(this.#credit);
    const args = offsetArgument(this.#next);
    await channel.consume(this.#name, onMessage, { consumerTag: CONSUMER_TAG, arguments: args });
    await promise;
  }

  #take(message: ConsumeMessage, offset: number, intake: Intake): void {
    if (!intake.isEnded) this.#next = offset + 1;
    intake.take(message);
  }
}

/**
 * -1 for an empty stream. The broker's own count of a stream is up to five seconds old, so its last chunk is read: its messages come in
 * one burst. What is written meanwhile may move the end, but not for longer than a second.
 */
async function lastOffset(channel: Channel, name: string): Promise<number> {
  const { messageCount } = await channel.checkQueue(name);
  const counter = new Counter();
  let last = -1;
  await channel.prefetch(PROBE_CREDIT);
  const { consumerTag } = await channel.consume(
    name,
    (message) => {
      if (message) last = offsetOf(message);
      if (message) counter.increment();
    },
    { arguments: { 'x-stream-offset': 'last' } },
  );
  await counter.reached(1, messageCount > 0 ? Infinity : STALL_MS);
  for (let seen = 0, bursts = 0; counter.value > seen && bursts < BURSTS_MAX; bursts += 1) {
    seen = counter.value;
    await counter.reached(Infinity, BURST_MS);
  }
  await channel.cancel(consumerTag);
  return last;
}

const readyIn = async (channel: Channel, name: string): Promise<number> =>
  (await channel.checkQueue(name)).messageCount;

/** Rejects when the channel ends. */
function lossOf(channel: Channel): Promise<never> {
  const { promise, reject } = deferred<never>();
  let reason: Error | undefined;
  channel.on('error', (error) => (reason = error));
  channel.on('close', () => reject(reason ?? new Error('channel closed')));
  promise.catch(() => undefined);
  return promise;
}

/** Everything that was there at first has come, and by then the queue is empty; or it is empty because somebody else took it. */
async function untilEmpty(counter: Counter, ready: number, readyNow: () => Promise<number> | number): Promise<void> {
  let target = ready;
  for (;;) {
    const before = counter.value;
    await counter.reached(target, STALL_MS);
    const left = await readyNow();
    if (left === 0 && (counter.value >= target || counter.value === before)) return;
    if (counter.value >= target) target = counter.value + left;
  }
}

class Counter {
  value = 0;
  #target = Infinity;
  #resolve: (() => void) | undefined;

  increment(): void {
    this.value += 1;
    if (this.value >= this.#target) this.#resolve?.();
  }

  /** Resolves at `target`, or after `ms`. Without an end there is no timer: it would outlive who waits, and keep the process. */
  reached(target: number, ms: number): Promise<void> {
    const { promise, resolve } = deferred<void>();
    const timer = ms === Infinity ? undefined : setTimeout(resolve, ms);
    this.#target = target;
    this.#resolve = resolve;
    if (this.value >= target) resolve();
    return promise.finally(() => clearTimeout(timer));
  }
}
