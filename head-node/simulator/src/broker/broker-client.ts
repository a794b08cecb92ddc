/** A program's connection to the broker, with its outbox: unconfirmed messages are sent again after a lost connection. */
import type { TaskId } from '@muster/shared';
import type { SimProcess } from '../sim-process.ts';
import type { World } from '../world.ts';
import type { Broker, BrokerState, Message } from './broker.ts';

/** `task`: the task whose watermark waits for this message. */
export interface Publication extends Message {
  readonly to: string;
}

export type Outcome = 'confirmed' | 'lost';
export type OnSettled = (outcome: Outcome) => void;

interface Entry {
  readonly publication: Publication;
  readonly sinceMs: number;
  readonly onSettled: OnSettled[];
  sent: boolean;
}

export interface Delivery {
  readonly body: unknown;
  /** Redelivered. */
  readonly again: boolean;
  readonly ack: () => void;
}

interface Subscription {
  readonly queue: string;
  readonly prefetch: number;
  readonly onDelivery: (delivery: Delivery) => void;
  detach: (() => void) | null;
}

const LATENCY_MS = { least: 0.2, most: 2 };
const RECONNECT_MS = { least: 50, most: 1500 };

export class BrokerClient {
  state: BrokerState = 'connecting';
  onState: (state: BrokerState) => void = () => undefined;
  readonly #world: World;
  readonly #broker: Broker;
  readonly #process: SimProcess;
  readonly #outbox = new Map<string, Entry>();
  readonly #subscriptions: Subscription[] = [];
  readonly #settling: { readonly task: TaskId; readonly proceed: () => void }[] = [];
  readonly #lost = new Map<TaskId, number>();
  readonly #leave: () => void;
  /** Number of connections lost so far. */
  #connection = 0;
  #lastArrivalMs = 0;

  constructor(world: World, broker: Broker, process: SimProcess) {
    this.#world = world;
    this.#broker = broker;
    this.#process = process;
    this.#leave = broker.join(this);
    this.#connectSoon();
  }

  get isUp(): boolean {
    return this.state === 'up' || this.state === 'blocked';
  }

  get lagMs(): number {
    const [oldest] = this.#outbox.values();
    return oldest === undefined ? 0 : this.#world.timeline.nowMs - oldest.sinceMs;
  }

  onBroker(state: BrokerState): void {
    if (state === 'down') this.#process.hear(() => this.#lose());
    else if (this.isUp) this.#process.hear(() => this.#become(state));
    else this.#connectSoon();
  }

  /** A key that is still in the outbox is not published twice; all its callbacks are called. */
  publish(publication: Publication, onSettled?: OnSettled): void {
    const known = this.#outbox.get(publication.key);
    const entry = known ?? { publication, sinceMs: this.#world.timeline.nowMs, onSettled: [], sent: false };
    if (onSettled !== undefined) entry.onSettled.push(onSettled);
    this.#outbox.set(publication.key, entry);
    this.#send(entry);
  }

  withdraw(keys: readonly string[]): void {
    for (const key of keys) this.#outbox.delete(key);
    this.#settle();
  }

  /** Messages of this task that the broker has not confirmed. */
  unconfirmed(task: TaskId): number {
    return [...this.#outbox.values()].filter(({ publication }) => publication.task === task).length;
  }

  /** Calls `proceed` once nothing of this task is in the outbox. */
  settled(task: TaskId, proceed: () => void): void {
    this.#settling.push({ task, proceed });
    this.#settle();
  }

  consume(queue: string, prefetch: number, onDelivery: (delivery: Delivery) => void): void {
    const subscription: Subscription = { queue, prefetch, onDelivery, detach: null };
    this.#subscriptions.push(subscription);
    if (this.isUp) this.#attach(subscription);
  }

  /** Messages of this task that no queue has taken. */
  lost(task: TaskId): number {
    return this.#lost.get(task) ?? 0;
  }

  forget(task: TaskId): void {
    this.#lost.delete(task);
  }

  get isEmpty(): boolean {
    return this.#outbox.size === 0;
  }

  /** Called when its process is gone. */
  end(): void {
    this.onState = () => undefined;
    this.#leave();
    this.#lose();
  }

  #connectSoon(): void {
    this.#process.after(this.#broker.draw.between(RECONNECT_MS.least, RECONNECT_MS.most), () => {
      if (this.isUp || this.#broker.state === 'down') return;
      for (const subscription of this.#subscriptions) this.#attach(subscription);
      this.#become(this.#broker.state);
    });
  }

  #lose(): void {
    this.#connection += 1;
    for (const subscription of this.#subscriptions) {
      subscription.detach?.();
      subscription.detach = null;
    }
    for (const entry of this.#outbox.values()) entry.sent = false;
    if (this.isUp) this.#become('down');
  }

  #become(state: BrokerState): void {
    this.state = state;
    if (state === 'up') for (const entry of this.#outbox.values()) this.#send(entry);
    this.onState(state);
  }

  #attach(subscription: Subscription): void {
    const { queue, prefetch, onDelivery } = subscription;
    const connection = this.#connection;
    subscription.detach = this.#broker.attach(queue, {
      prefetch,
      deliver: ({ body }, { again, ack }) =>
        this.#process.after(this.#latencyMs(), () => {
          if (connection === this.#connection) onDelivery({ body, again, ack });
        }),
    });
  }

  #send(entry: Entry): void {
    if (this.state !== 'up' || entry.sent) return;
    entry.sent = true;
    const { timeline } = this.#world;
    const connection = this.#connection;
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, timeline.nowMs + this.#latencyMs());
    timeline.after(this.#lastArrivalMs - timeline.nowMs, () => {
      if (connection !== this.#connection) return;
      if (this.#broker.state !== 'up') {
        entry.sent = false;
        return;
      }
      this.#settleLater(entry, connection, this.#arrive(entry.publication));
    });
  }

  #arrive(publication: Publication): Outcome {
    const { faults } = this.#world;
    if (faults.strikes('mirror-loss')) return 'lost';
    if (faults.strikes('duplicate')) this.#broker.take(publication.to, publication);
    return this.#broker.take(publication.to, publication) ? 'confirmed' : 'lost';
  }

  #settleLater(entry: Entry, connection: number, outcome: Outcome): void {
    const { key, task } = entry.publication;
    this.#process.after(this.#broker.draw.between(0.2, this.#broker.confirmMs), () => {
      if (connection !== this.#connection || !this.#outbox.delete(key)) return;
      if (outcome === 'lost') this.#lost.set(task, this.lost(task) + 1);
      for (const onSettled of entry.onSettled) onSettled(outcome);
      this.#settle();
    });
  }

  #settle(): void {
    const open = new Set(Array.from(this.#outbox.values(), ({ publication }) => publication.task));
    for (const waiting of this.#settling.splice(0)) {
      if (open.has(waiting.task)) this.#settling.push(waiting);
      else this.#process.after(0, waiting.proceed);
    }
  }

  #latencyMs(): number {
    return this.#broker.draw.between(LATENCY_MS.least, LATENCY_MS.most);
  }
}
