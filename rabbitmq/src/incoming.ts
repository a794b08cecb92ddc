import type { Logger } from '@muster/shared';
import type { Channel, ConsumeMessage } from 'amqplib';
import { AckWindow } from './ack-window.ts';
import type { Delivery, OnDelivery, StreamSource } from './backbone.ts';
import { decodeBody } from './body.ts';
import { reasonOf } from './link.ts';

/** A stream cannot dead-letter: what cannot be processed is skipped. */
export type SourceKind = 'queue' | 'stream';

/**
 * Deliveries of one channel and their acknowledgements. Those of one turn of the event loop are sent together. Once the channel is closing
 * they are dropped: the broker redelivers the messages. No exception may reach amqplib: it would take it for a malformed frame and close
 * the whole connection.
 */
export class Incoming {
  readonly #channel: Channel;
  readonly #kind: SourceKind;
  readonly #logger: Logger;
  readonly #acks = new AckWindow();
  #scheduled = false;
  #closed = false;
  #onSettled: (() => void) | undefined;

  constructor(channel: Channel, kind: SourceKind, logger: Logger) {
    this.#channel = channel;
    this.#kind = kind;
    this.#logger = logger;
    channel.on('close', () => (this.#closed = true));
  }

  /** Rejects a message that cannot be decoded or whose handler throws. */
  deliver(message: ConsumeMessage, onDelivery: OnDelivery): void {
    const tag = message.fields.deliveryTag;
    this.#acks.delivered(tag);
    try {
      onDelivery(new Received(message, decodeBody(message.content), this));
    } catch (error) {
      const key = String(message.properties.messageId);
      this.#logger.warn({ key, reason: reasonOf(error) }, 'a message could not be worked off');
      this.reject(tag);
    }
  }

  ack(tag: number): void {
    if (this.#acks.ack(tag)) this.#schedule();
  }

  reject(tag: number): void {
    if (this.#kind === 'stream') return this.ack(tag);
    if (!this.#acks.reject(tag)) return;
    this.#say(() => this.#channel.reject(tagged(tag), false));
    this.#schedule();
  }

  /** Requeues a message that came after the consumer had ended. */
  giveBack(message: ConsumeMessage): void {
    this.#say(() => this.#channel.nack(message, false, true));
  }

  /** `then` is called once, when every delivery is acknowledged or rejected. */
  whenSettled(then: () => void): void {
    this.#onSettled = then;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#closed) return;
    const { upTo, singles } = this.#acks.take();
    if (upTo !== undefined) this.#say(() => this.#channel.ack(tagged(upTo), true));
    for (const tag of singles) this.#say(() => this.#channel.ack(tagged(tag), false));
    if (this.#acks.size > 0) return;
    this.#onSettled?.();
    this.#onSettled = undefined;
  }

  /** A closing channel throws at every call; its 'close' event comes a round trip later. */
  #say(word: () => void): void {
    if (this.#closed) return;
    try {
      word();
    } catch {
      this.#closed = true;
    }
  }
}

/** Position in a stream; 0 for a queue. */
export const offsetOf = ({ properties }: ConsumeMessage): number =>
  Number(properties.headers?.['x-stream-offset'] ?? 0);

function senderOf({ properties }: ConsumeMessage): string | null {
  const { userId } = properties as { readonly userId?: unknown };
  return typeof userId === 'string' && userId !== '' ? userId : null;
}

/** Consumer arguments; a timestamp has a resolution of one second. */
export const offsetArgument = (offset: StreamSource['offset']): object => ({
  'x-stream-offset':
    typeof offset === 'number' ? offset : { '!': 'timestamp', value: Math.floor(offset.sinceWallMs / 1000) },
});

class Received implements Delivery {
  readonly key: string;
  readonly frames: readonly Uint8Array[];
  readonly redelivered: boolean;
  readonly from: string | null;
  readonly offset: number;
  readonly #tag: number;
  readonly #incoming: Incoming;

  constructor(message: ConsumeMessage, frames: readonly Uint8Array[], incoming: Incoming) {
    this.key = String(message.properties.messageId);
    this.frames = frames;
    this.redelivered = message.fields.redelivered;
    this.from = senderOf(message);
    this.offset = offsetOf(message);
    this.#tag = message.fields.deliveryTag;
    this.#incoming = incoming;
  }

  ack(): void {
    this.#incoming.ack(this.#tag);
  }

  reject(): void {
    this.#incoming.reject(this.#tag);
  }
}

/** amqplib reads nothing else of a message that it acknowledges. */
const tagged = (deliveryTag: number): ConsumeMessage => ({ fields: { deliveryTag } }) as ConsumeMessage;
