import { decodeBody } from '../body.ts';
import type { Delivery, OnDelivery, StreamSource } from '../backbone.ts';

export interface StoredMessage {
  readonly key: string;
  readonly body: Uint8Array;
  readonly from: string | null;
  redelivered: boolean;
  /** When it came. */
  readonly wallMs: number;
}

export interface MemoryConsumer {
  readonly prefetch: number;
  /** False when it takes nothing more; it may still hold unacknowledged deliveries. */
  readonly wants: () => boolean;
  readonly onDelivery: OnDelivery;
}

/** A queue or stream: keeps messages and delivers them in a later phase of the event loop (setImmediate). */
export interface Store {
  readonly size: number;
  add(message: StoredMessage): void;
  /** Position of the first message wanted; 0 for a queue. */
  first(offset: StreamSource['offset']): number;
  /** Returns the function that detaches it; a queue then requeues what the consumer still holds. */
  attach(consumer: MemoryConsumer, first: number): () => void;
}

/** Rejects a delivery whose handler throws. */
function handOver(delivery: Delivery, { onDelivery }: MemoryConsumer): void {
  try {
    onDelivery(delivery);
  } catch {
    delivery.reject();
  }
}

interface Attached extends MemoryConsumer {
  readonly held: Set<StoredMessage>;
}

/** A quorum queue: each message goes to one consumer, and back to the queue if that detaches without acknowledging it. */
export class MemoryQueue implements Store {
  readonly #ready: StoredMessage[] = [];
  readonly #consumers = new Set<Attached>();
  readonly #onRejected: (message: StoredMessage) => void;
  #scheduled = false;

  constructor(onRejected: (message: StoredMessage) => void) {
    this.#onRejected = onRejected;
  }

  get size(): number {
    return this.#ready.length;
  }

  first(): number {
    return 0;
  }

  add(message: StoredMessage): void {
    this.#ready.push(message);
    this.#schedule();
  }

  attach(consumer: MemoryConsumer): () => void {
    const attached = { ...consumer, held: new Set<StoredMessage>() };
    this.#consumers.add(attached);
    this.#schedule();
    return () => {
      this.#consumers.delete(attached);
      this.#takeBack(attached);
    };
  }

  /** Requeues every unacknowledged delivery. */
  redeliver(): void {
    for (const consumer of this.#consumers) this.#takeBack(consumer);
  }

  #takeBack({ held }: Attached): void {
    const messages = [...held];
    held.clear();
    for (const message of messages) message.redelivered = true;
    this.#ready.unshift(...messages);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const consumer of this.#consumers) this.#feed(consumer);
    });
  }

  #feed(consumer: Attached): void {
    while (consumer.wants() && consumer.held.size < consumer.prefetch) {
      const message = this.#ready.shift();
      if (!message) return;
      consumer.held.add(message);
      handOver(this.#delivery(message, consumer), consumer);
    }
  }

  #delivery(message: StoredMessage, { held }: Attached): Delivery {
    const settle = (then: () => void): void => {
      if (!held.delete(message)) return;
      then();
      this.#schedule();
    };
    return {
      key: message.key,
      frames: decodeBody(message.body),
      redelivered: message.redelivered,
      from: message.from,
      offset: 0,
      ack: () => settle(() => undefined),
      reject: () => settle(() => this.#onRejected(message)),
    };
  }
}

interface Reader extends MemoryConsumer {
  next: number;
  held: number;
}

/** A stream: every reader gets everything from its offset on. */
export class MemoryStream implements Store {
  readonly #log: StoredMessage[] = [];
  readonly #readers = new Set<Reader>();
  #scheduled = false;

  get size(): number {
    return this.#log.length;
  }

  first(offset: StreamSource['offset']): number {
    if (typeof offset === 'number') return offset;
    const sinceMs = 1000 * Math.floor(offset.sinceWallMs / 1000);
    const at = this.#log.findIndex(({ wallMs }) => wallMs >= sinceMs);
    return at < 0 ? this.#log.length : at;
  }

  add(message: StoredMessage): void {
    this.#log.push(message);
    this.#schedule();
  }

  attach(consumer: MemoryConsumer, first: number): () => void {
    const reader = { ...consumer, next: first, held: 0 };
    this.#readers.add(reader);
    this.#schedule();
    return () => this.#readers.delete(reader);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const reader of this.#readers) this.#feed(reader);
    });
  }

  #feed(reader: Reader): void {
    while (reader.wants() && reader.held < reader.prefetch && this.#readers.has(reader)) {
      const message = this.#log[reader.next];
      if (!message) return;
      reader.next += 1;
      reader.held += 1;
      handOver(this.#delivery(message, reader), reader);
    }
  }

  #delivery({ key, body, from }: StoredMessage, reader: Reader): Delivery {
    const offset = reader.next - 1;
    let settled = false;
    const settle = (): void => {
      if (settled) return;
      settled = true;
      reader.held -= 1;
      this.#schedule();
    };
    return { key, frames: decodeBody(body), redelivered: false, from, offset, ack: settle, reject: settle };
  }
}
