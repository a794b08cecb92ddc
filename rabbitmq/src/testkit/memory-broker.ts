import type { Backbone, BackboneState } from '../backbone.ts';
import { encodeBody } from '../body.ts';
import { MemoryBackbone, type MemoryBackboneOptions } from './memory-backbone.ts';
import { MemoryQueue, MemoryStream, type Store } from './memory-queue.ts';
import type { Entry } from '../outbox.ts';
import { queueOf, staticQueues, type QueueSpec } from '../topology.ts';

/** How a broker looks from outside; a new client is told at once. */
export interface BrokerClient {
  onBroker(state: BackboneState): void;
  /** Queues came or went. */
  onTopology(): void;
}

export interface MemoryBrokerOptions {
  /** True without it. */
  readonly reachable?: boolean;
  /** Its clock. */
  readonly wallMs?: () => number;
}

/**
 * RabbitMQ for tests of what stands on the backbone: the same topology in memory, with switches for what goes wrong. What it holds
 * survives `down`, as on a disk. Clients are opened by `open` and share it.
 */
export class MemoryBroker {
  readonly #stores = new Map<string, Store>();
  readonly #clients = new Set<BrokerClient>();
  readonly #wallMs: () => number;
  #reachable: boolean;
  #blocked = false;
  /** What it owes its clients while it hangs. */
  #owed: (() => void)[] | undefined;
  /** What came for queues that do nothing. */
  readonly #muted = new Map<string, (() => void)[]>();

  constructor({ reachable = true, wallMs = Date.now }: MemoryBrokerOptions = {}) {
    this.#reachable = reachable;
    this.#wallMs = wallMs;
    for (const queue of staticQueues) this.declare(queue);
  }

  open(options: MemoryBackboneOptions): Backbone {
    return new MemoryBackbone(this, options);
  }

  /** Every connection is lost: what was not acknowledged is given out again after `up`. */
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

  /** As a disk alarm: publications are not taken, deliveries still come. */
  block(): void {
    this.#blocked = true;
    this.#tell();
  }

  unblock(): void {
    this.#blocked = false;
    this.#tell();
  }

  /** It takes what comes and confirms nothing, as queues without a majority. */
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

  /** Every delivery that nobody has acknowledged comes once more. */
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

  /** @internal For its clients. Performed in a later turn, or when it thaws; not at all when it goes down before. */
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

  /** A message that no queue takes is marked, as the broker's return does. */
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
