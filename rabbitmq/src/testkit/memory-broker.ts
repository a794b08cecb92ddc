import type { Backbone, BackboneState } from '../backbone.ts';
import { encodeBody } from '../body.ts';
import { MemoryBackbone, type MemoryBackboneOptions } from './memory-backbone.ts';
import { MemoryQueue, MemoryStream, type Store } from './memory-queue.ts';
import type { Entry } from '../outbox.ts';
import { queueOf, staticQueues, type QueueSpec } from '../topology.ts';

/** What the broker tells its clients; a new client is told the state at once. */
export interface BrokerClient {
  onBroker(state: BackboneState): void;
  /** Queues were declared or deleted. */
  onTopology(): void;
}

export interface MemoryBrokerOptions {
  /** Default true. */
  readonly reachable?: boolean;
  /** The broker's wall clock; default `Date.now`. */
  readonly wallMs?: () => number;
}

/**
 * In-memory RabbitMQ for tests of the code above the backbone: the same topology, with switches for faults. Its contents survive `down`, as
 * if on disk. All clients that `open` returns share it.
 */
export class MemoryBroker {
  readonly #stores = new Map<string, Store>();
  readonly #clients = new Set<BrokerClient>();
  readonly #wallMs: () => number;
  #reachable: boolean;
  #blocked = false;
  /** Answers held back while frozen; undefined if it is not frozen. */
  #owed: (() => void)[] | undefined;
  /** Publications held back, by muted queue. */
  readonly #muted = new Map<string, (() => void)[]>();

  constructor({ reachable = true, wallMs = Date.now }: MemoryBrokerOptions = {}) {
    this.#reachable = reachable;
    this.#wallMs = wallMs;
    for (const queue of staticQueues) this.declare(queue);
  }

  open(options: MemoryBackboneOptions): Backbone {
    return new MemoryBackbone(this, options);
  }

  /** Every connection is lost; unacknowledged messages are delivered again after `up`. */
  down(): void {
    this.#reachable = false;
    this.#owed = undefined;
    for (const came of this.#muted.values()) came.length = 0;
    this.#tell();
  }

  up(): void {
    this.#reachable = true;
    this.#tell();
  }

  /** Like a disk alarm: publications are not taken, deliveries still come. */
  block(): void {
    this.#blocked = true;
    this.#tell();
  }

  unblock(): void {
    this.#blocked = false;
    this.#tell();
  }

  /** Publications are taken but not confirmed, as by queues without a majority. */
  freeze(): void {
    this.#owed ??= [];
  }

  thaw(): void {
    const owed = this.#owed ?? [];
    this.#owed = undefined;
    for (const answer of owed) this.answer(answer);
  }

  /** This queue takes nothing and confirms nothing, as one without a majority; the others go on. */
  mute(queue: string): void {
    this.#muted.set(queue, []);
  }

  unmute(queue: string): void {
    const came = this.#muted.get(queue) ?? [];
    this.#muted.delete(queue);
    for (const step of came) step();
  }

  /** Redelivers every unacknowledged delivery. */
  redeliver(): void {
    for (const store of this.#stores.values()) if (store instanceof MemoryQueue) store.redeliver();
  }

  /** Is there a queue or stream of this name? */
  has(queue: string): boolean {
    return this.#stores.has(queue);
  }

  /** Messages that a queue could give out, or a stream holds. 0 for what does not exist. */
  count(queue: string): number {
    return this.#stores.get(queue)?.size ?? 0;
  }

  /** @internal For its clients. */
  join(client: BrokerClient): () => void {
    this.#clients.add(client);
    client.onBroker(this.#state());
    return () => this.#clients.delete(client);
  }

  /** @internal For its clients. */
  declare({ name, arguments: args }: QueueSpec): void {
    if (this.#stores.has(name)) return;
    const isStream = args['x-queue-type'] === 'stream';
    this.#stores.set(name, isStream ? new MemoryStream() : new MemoryQueue((dead) => this.store('dead')?.add(dead)));
    for (const client of this.#clients) client.onTopology();
  }

  /** @internal For its clients. */
  delete({ name }: QueueSpec): void {
    this.#stores.delete(name);
    for (const client of this.#clients) client.onTopology();
  }

  /** @internal For its clients. */
  store(name: string): Store | undefined {
    return this.#stores.get(name);
  }

  /** @internal For its clients. Runs `step` in a later turn; while frozen, after `thaw`, and never if the broker goes down first. */
  answer(step: () => void): void {
    if (this.#owed) this.#owed.push(step);
    else setImmediate(step);
  }

  /** @internal For its clients. */
  take(entry: Entry, from: string | null, confirm: () => void): void {
    const take = (): void => {
      this.#keep(entry, from);
      this.answer(confirm);
    };
    const came = this.#muted.get(queueOf(entry.publication.destination).name);
    if (came) came.push(take);
    else take();
  }

  /** Marks a message that no queue takes as unrouted, as the broker's return does. */
  #keep(entry: Entry, from: string | null): void {
    const { destination, key, frames } = entry.publication;
    const message = { key, body: encodeBody(frames), from, redelivered: false, wallMs: this.#wallMs() };
    const store = this.store(queueOf(destination).name);
    entry.unrouted = store === undefined;
    (store ?? this.store('unrouted'))?.add(message);
  }

  #state(): BackboneState {
    if (!this.#reachable) return 'down';
    return this.#blocked ? 'blocked' : 'up';
  }

  #tell(): void {
    for (const client of this.#clients) client.onBroker(this.#state());
  }
}
