import { deferred, type Logger } from '@muster/shared';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Delivery, OnDelivery, QueueSource, StreamSource } from './backbone.ts';
import { STREAM_CREDIT } from './consumer.ts';
import { Incoming, offsetArgument, offsetOf, type SourceKind } from './incoming.ts';
import type { IdleTimeout } from './idle-timeout.ts';
import { queueOf } from './topology.ts';

/** After this long without a delivery, ask the broker whether anything is left. */
const STALL_MS = 500;
/** Gap that ends a burst: messages of one stream chunk arrive closer together. */
const BURST_MS = 50;
const BURSTS_MAX = 20;
/** More messages than a chunk holds, so that its end is reached without acknowledging any. */
const PROBE_CREDIT = 10_000;
/** Chosen by us, so that a consumer can be cancelled before the broker has answered `consume`. */
const CONSUMER_TAG = 'drain';

const nothing = (): void => undefined;

export interface DrainOptions {
  readonly onDelivery: OnDelivery;
  readonly logger: Logger;
  /** Renewed by every delivery. */
  readonly idle: IdleTimeout;
}

/** Takes what a queue or stream holds now. After a lost connection, another `run` continues on the next one. */
export class DrainPass {
  readonly #contents: Contents;
  readonly #options: DrainOptions;
  #count = 0;

  constructor(source: QueueSource | StreamSource, options: DrainOptions) {
    this.#contents = 'prefetch' in source ? new QueueContents(source) : new StreamContents(source);
    this.#options = options;
  }

  /** Deliveries handed over so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * True when everything is handed over or no more arrives within the idle limit; false when that limit ends before the broker has said how
   * much there is. Rejects with the broker's reason if the channel ends first.
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

/** The consumer of one channel. The channel stays open until the last delivery is settled: closing it earlier would requeue them. */
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

  /** Does not await the broker, which may be hanging. */
  end(): void {
    this.#ended = true;
    this.#channel.cancel(CONSUMER_TAG).catch(nothing);
    this.#incoming.whenSettled(() => void this.#channel.close().catch(nothing));
  }
}

/** Messages of a queue, or of a stream up to its present end. */
interface Contents {
  readonly kind: SourceKind;
  /** Resolves to whether there is anything to take. */
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
 * Offset of the last message; -1 for an empty stream. The broker's message count of a stream is up to five seconds old, so the last chunk
 * is read, whose messages arrive in one burst. Concurrent writes may extend the burst, by at most a second (BURSTS_MAX).
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

/** Returns when the messages present at first have come and the queue is empty, or when it is empty because another consumer took them. */
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

  /** Resolves at `target`, or after `ms`. No timer for Infinity, which setTimeout would take as 1 ms. */
  reached(target: number, ms: number): Promise<void> {
    const { promise, resolve } = deferred<void>();
    const timer = ms === Infinity ? undefined : setTimeout(resolve, ms);
    this.#target = target;
    this.#resolve = resolve;
    if (this.value >= target) resolve();
    return promise.finally(() => clearTimeout(timer));
  }
}
