/**
 * The broker: durable queues that outlive all processes; the broker itself may be down, blocked or slow. Keeps the promises of
 * rabbitmq/src/backbone.ts, in virtual time.
 */
import type { TaskId } from '@muster/shared';
import type { BackboneView, JournalRecord, StreamedRecord } from '@muster/head-node/core';
import type { Draw } from '../draw.ts';
import type { World } from '../world.ts';

export type BrokerState = Exclude<BackboneView['state'], 'off'>;

export interface Message<T = unknown> {
  readonly key: string;
  readonly task: TaskId;
  readonly body: T;
}

/** The stream of journal records, and the stream of each task's blocks; all other destinations are queues. */
export const EVENTS = 'events';
export const BLOCKS = 'blocks';

/** Journal records of one task that were sent in one message. */
export interface RecordedMessage {
  readonly epoch: number;
  readonly records: readonly JournalRecord[];
}

export interface Consumer {
  readonly prefetch: number;
  readonly deliver: (message: Message, fate: { readonly again: boolean; readonly ack: () => void }) => void;
}

interface Attached extends Consumer {
  readonly held: Set<Message>;
}

/** Each message goes to one consumer, and back to the front if that detaches before acknowledging it. */
class Queue {
  readonly ready: Message[] = [];
  readonly consumers = new Set<Attached>();
  readonly #given = new WeakSet<Message>();

  feed(): void {
    for (const consumer of this.consumers)
      while (consumer.held.size < consumer.prefetch && this.ready.length > 0) this.#give(consumer);
  }

  #give(consumer: Attached): void {
    const message = this.ready.shift();
    if (message === undefined) return;
    consumer.held.add(message);
    const again = this.#given.has(message);
    this.#given.add(message);
    const ack = (): void => {
      if (consumer.held.delete(message)) this.feed();
    };
    consumer.deliver(message, { again, ack });
  }

  takeBack({ held }: Attached): void {
    const back = [...held];
    held.clear();
    this.ready.unshift(...back);
  }
}

/** Is notified when the broker's state changes. */
export interface BrokerPeer {
  onBroker(state: BrokerState): void;
}

export class Broker {
  state: BrokerState = 'up';
  /** Upper bound of the time to a confirm. */
  confirmMs = 3;
  readonly #troubles = new Set<{ readonly state: BrokerState }>();
  readonly #queues = new Map<string, Queue>();
  readonly #peers = new Set<BrokerPeer>();
  readonly events: StreamedRecord[] = [];
  /** Keys of the messages in the streams of tasks. */
  readonly #blocks = new Map<TaskId, Set<string>>();
  readonly #world: World;
  readonly draw: Draw;

  constructor(world: World) {
    this.#world = world;
    this.draw = world.draw.fork('broker');
  }

  join(peer: BrokerPeer): () => void {
    this.#peers.add(peer);
    return () => this.#peers.delete(peer);
  }

  /** Returns a function that ends it. Of several troubles the latest that has not ended sets the state. */
  trouble(state: BrokerState): () => void {
    const trouble = { state };
    this.#troubles.add(trouble);
    this.#become(state);
    return () => {
      this.#troubles.delete(trouble);
      this.#become([...this.#troubles].at(-1)?.state ?? 'up');
    };
  }

  heal(): void {
    this.#troubles.clear();
    this.confirmMs = 3;
    this.#become('up');
  }

  #become(state: BrokerState): void {
    if (state === this.state) return;
    this.#world.chronicle.note('broker', `is ${state}`);
    this.state = state;
    for (const peer of this.#peers) peer.onBroker(state);
  }

  /** False when there is no such destination. */
  take(destination: string, message: Message): boolean {
    if (destination === EVENTS) return this.#record(message.body as RecordedMessage);
    if (destination === BLOCKS) return this.#blocks.get(message.task)?.add(message.key) !== undefined;
    this.#queueOf(destination).ready.push(message);
    this.#feed(destination);
    return true;
  }

  openTask(task: TaskId): void {
    if (!this.#blocks.has(task)) this.#blocks.set(task, new Set());
  }

  closeTask(task: TaskId): void {
    this.#blocks.delete(task);
  }

  hasBlocks(task: TaskId, keys: readonly string[]): boolean {
    return keys.every((key) => this.#blocks.get(task)?.has(key));
  }

  #record({ epoch, records }: RecordedMessage): true {
    for (const record of records) this.events.push({ epoch, record });
    return true;
  }

  /** Returns a function that detaches the consumer; its unacknowledged messages are then delivered again. */
  attach(queue: string, consumer: Consumer): () => void {
    const attached: Attached = { ...consumer, held: new Set() };
    const at = this.#queueOf(queue);
    at.consumers.add(attached);
    this.#feed(queue);
    return () => {
      at.consumers.delete(attached);
      at.takeBack(attached);
      this.#feed(queue);
    };
  }

  /** Delivers everything unacknowledged once more. */
  redeliver(): void {
    for (const [name, queue] of this.#queues) {
      for (const consumer of queue.consumers) queue.takeBack(consumer);
      this.#feed(name);
    }
  }

  waiting(queue: string): number {
    return this.#queueOf(queue).ready.length;
  }

  #feed(name: string): void {
    this.#world.timeline.after(0, () => this.#queueOf(name).feed());
  }

  #queueOf(name: string): Queue {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const fresh = new Queue();
    this.#queues.set(name, fresh);
    return fresh;
  }
}
