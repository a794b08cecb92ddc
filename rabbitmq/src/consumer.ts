import type { Logger } from '@muster/shared';
import type { Channel, ChannelModel } from 'amqplib';
import type { OnDelivery, QueueSource, StreamSource, Subscription } from './backbone.ts';
import { ChannelKeeper, type KeepChannel } from './channel-keeper.ts';
import { Incoming, offsetArgument, offsetOf } from './incoming.ts';
import type { Link } from './link.ts';
import { queueOf } from './topology.ts';

/** Prefetch (unacknowledged deliveries) by kind of stream. Chunks are up to 1 MiB each. */
export const STREAM_CREDIT = { events: 256, blocks: 16, resultChunks: 16 } as const;

export interface ConsumerOptions {
  readonly link: Link;
  readonly logger: Logger;
  readonly onDelivery: OnDelivery;
}

/** Consumes a queue across reconnects. The queue may be created later, or deleted and created again: it is retried with back-off. */
export class QueueConsumer implements Subscription {
  readonly #source: QueueSource;
  readonly #options: ConsumerOptions;
  readonly #keeper: ChannelKeeper;

  constructor(source: QueueSource, options: ConsumerOptions) {
    this.#source = source;
    this.#options = options;
    this.#keeper = new ChannelKeeper(options.link, this);
  }

  close(): Promise<void> {
    return this.#keeper.close();
  }

  /** @internal Called by the keeper. */
  async start(model: ChannelModel, keep: KeepChannel): Promise<void> {
    const channel = keep(await model.createChannel());
    const incoming = new Incoming(channel, 'queue', this.#options.logger);
    const { prefetch, from } = this.#source;
    await channel.prefetch(prefetch);
    await channel.consume(queueOf(from).name, (message) => {
      if (message) incoming.deliver(message, this.#options.onDelivery);
      else this.#keeper.restart('the broker cancelled the consumer');
    });
  }

  /** @internal Called by the keeper. */
  ended(reason: string): void {
    this.#options.logger.debug({ queue: queueOf(this.#source.from).name, reason }, 'consumer interrupted');
  }
}

/** Reads a stream from an offset; after an interruption it continues behind the last one delivered. */
export class StreamReader implements Subscription {
  readonly #source: StreamSource;
  readonly #options: ConsumerOptions;
  readonly #keeper: ChannelKeeper;
  #next: StreamSource['offset'];

  constructor(source: StreamSource, options: ConsumerOptions) {
    this.#source = source;
    this.#options = options;
    this.#next = source.offset;
    this.#keeper = new ChannelKeeper(options.link, this);
  }

  close(): Promise<void> {
    return this.#keeper.close();
  }

  /** @internal Called by the keeper. */
  async start(model: ChannelModel, keep: KeepChannel): Promise<void> {
    const channel = keep(await model.createChannel());
    await channel.prefetch(STREAM_CREDIT[this.#source.from.to]);
    await this.#consume(channel, new Incoming(channel, 'stream', this.#options.logger));
  }

  /** @internal Called by the keeper. */
  ended(reason: string): void {
    this.#options.logger.debug({ queue: queueOf(this.#source.from).name, reason }, 'stream reader interrupted');
  }

  async #consume(channel: Channel, incoming: Incoming): Promise<void> {
    await channel.consume(
      queueOf(this.#source.from).name,
      (message) => {
        if (!message) return this.#keeper.restart('the broker cancelled the reader');
        this.#next = offsetOf(message) + 1;
        incoming.deliver(message, this.#options.onDelivery);
      },
      { arguments: offsetArgument(this.#next) },
    );
  }
}
