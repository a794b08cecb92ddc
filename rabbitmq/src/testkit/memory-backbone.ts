import {
  deferred,
  limits,
  MusterError,
  systemClock,
  within,
  type Clock,
  type ProviderId,
  type TaskId,
} from '@muster/shared';
import type {
  Backbone,
  BackboneState,
  BackboneStatus,
  Destination,
  Delivery,
  OnDelivery,
  OnSettled,
  Publication,
  QueueSource,
  StreamSource,
  Subscription,
} from '../backbone.ts';
import { checkSize } from '../body.ts';
import { STREAM_CREDIT } from '../consumer.ts';
import { Lane } from '../lane.ts';
import { outboxStatus } from '../outbox-status.ts';
import type { MemoryBroker } from './memory-broker.ts';
import type { MemoryConsumer, Store } from './memory-queue.ts';
import type { Entry } from '../outbox.ts';
import { IdleTimeout } from '../idle-timeout.ts';
import { ConfirmWatchdog, SILENCE_MS, type Traffic } from '../confirm-watchdog.ts';
import { StateNotice } from '../state-notice.ts';
import { isBulk, providerQueue, queueOf, streamsOf, type QueueSpec, type BrokerRole } from '../topology.ts';
import { Watermarks } from '../watermarks.ts';

export interface MemoryBackboneOptions {
  readonly role: BrokerRole;
  /** Logged-in user; set as user-id of its publications, except the head's. */
  readonly user?: string;
  readonly maxOutboxBytes?: number;
  readonly clock?: Clock;
  readonly maxSilenceMs?: number;
}

type Source = QueueSource | StreamSource;

interface Taking {
  readonly end: number;
  readonly idle: IdleTimeout;
  readonly onDelivery: OnDelivery;
}

/** A client of the in-memory broker. It uses the real outbox; only the transport differs. */
export class MemoryBackbone implements Backbone {
  readonly #broker: MemoryBroker;
  readonly #isHead: boolean;
  readonly #sender: string | null;
  readonly #watermarks = new Watermarks();
  readonly #messages: Lane;
  readonly #blocks: Lane;
  readonly #lanes: readonly Lane[];
  readonly #blocked = Symbol('blocked');
  readonly #notice = new StateNotice(() => this.status());
  readonly #consumers = new Set<MemorySubscription>();
  /** Topology changes to make when the broker is back. */
  #owed: (() => void)[] = [];
  readonly #leave: () => void;
  readonly #watchdog: ConfirmWatchdog;
  readonly #looking: NodeJS.Timeout;
  #state: BackboneState = 'connecting';

  constructor(broker: MemoryBroker, options: MemoryBackboneOptions) {
    const { role, user, maxOutboxBytes, clock, maxSilenceMs } = options;
    this.#broker = broker;
    this.#isHead = role === 'head';
    this.#sender = this.#isHead ? null : (user ?? null);
    const lane = (maxBytes: number): Lane => {
      const outboxLimits = { maxBytes, windowMessages: limits.backboneWindow.value, windowBytes: maxBytes };
      return new Lane(outboxLimits, this.#watermarks, clock ?? systemClock);
    };
    this.#messages = lane(maxOutboxBytes ?? limits.backboneOutboxBytes.value);
    this.#blocks = lane(limits.backboneBlockOutboxBytes.value);
    this.#lanes = [this.#messages, this.#blocks];
    this.#watchdog = new ConfirmWatchdog(maxSilenceMs ?? SILENCE_MS, () => this.#traffic());
    this.#looking = setInterval(() => this.#look(), this.#watchdog.lookMs).unref();
    this.#leave = broker.join(this);
  }

  /** @internal Called by the broker. */
  onBroker(state: BackboneState): void {
    const isUp = state === 'up' || state === 'blocked';
    this.#state = !isUp && this.#state === 'connecting' ? 'connecting' : state;
    for (const lane of this.#lanes)
      if (state === 'blocked') lane.hold(this.#blocked);
      else lane.release(this.#blocked);
    if (isUp) this.#connect();
    else this.#disconnect();
    this.#notice.changed();
  }

  /** @internal Called by the broker. */
  onTopology(): void {
    for (const subscription of this.#consumers) this.#attach(subscription);
  }

  status(): BackboneStatus {
    const dead = this.#isHead ? this.#broker.count('dead') : 0;
    return { ...this.#report(), ...outboxStatus(this.#messages, this.#blocks), dead };
  }

  onState(listener: (status: BackboneStatus) => void): () => void {
    return this.#notice.listen(listener);
  }

  publish(publication: Publication, onSettled?: OnSettled): void {
    checkSize(publication.frames);
    const { destination } = publication;
    if (destination.to === 'work') this.#want(queueOf(destination));
    const lane = isBulk(destination) ? this.#blocks : this.#messages;
    lane.publish(publication, onSettled);
  }

  withdraw(keys: readonly string[]): void {
    for (const lane of this.#lanes) lane.withdraw(keys);
  }

  isMute(destination: Destination): boolean {
    return this.#messages.outbox.isMute(destination);
  }

  settled(task: TaskId): Promise<void> {
    return this.#watermarks.settled(task);
  }

  lost(task: TaskId): number {
    return this.#watermarks.lost(task);
  }

  forget(task: TaskId): void {
    this.#watermarks.forget(task);
  }

  admit(provider: ProviderId): void {
    this.#want(providerQueue(provider));
  }

  dismiss(provider: ProviderId): void {
    this.#change(() => this.#broker.delete(providerQueue(provider)));
  }

  openTask(task: TaskId): void {
    for (const stream of streamsOf(task)) this.#want(stream);
  }

  closeTask(task: TaskId, onClosed: () => void = () => undefined): void {
    this.#change(() => {
      for (const stream of streamsOf(task)) this.#broker.delete(stream);
      this.#broker.answer(onClosed);
    });
  }

  consume(source: QueueSource, onDelivery: OnDelivery): Subscription {
    return this.#subscribe(source, onDelivery);
  }

  read(source: StreamSource, onDelivery: OnDelivery): Subscription {
    return this.#subscribe(source, onDelivery);
  }

  async drain(
    source: Source,
    options: { readonly withinMs: number; readonly onDelivery: OnDelivery },
  ): Promise<number> {
    const idle = new IdleTimeout(options.withinMs);
    try {
      if (!(await this.#reached(idle))) throw new MusterError('BACKBONE_DOWN', 'the broker in memory is down');
      const store = this.#broker.store(queueOf(source.from).name);
      const end = (store?.size ?? 0) - (store?.first('offset' in source ? source.offset : 0) ?? 0);
      return end > 0 ? await this.#take(source, { end, idle, onDelivery: options.onDelivery }) : 0;
    } finally {
      idle.end();
    }
  }

  async close({ withinMs }: { readonly withinMs: number }): Promise<void> {
    await within(Promise.all(this.#lanes.map((lane) => lane.emptied())), withinMs, () => new Error('late')).catch(
      () => undefined,
    );
    this.#notice.end();
    clearInterval(this.#looking);
    this.#disconnect();
    this.#consumers.clear();
    this.#leave();
  }

  async #reached(idle: IdleTimeout): Promise<boolean> {
    const { promise, resolve } = deferred<boolean>();
    const stop = this.#notice.watch(() => this.#isUp && resolve(true));
    return (await idle.await(promise).finally(stop)) ?? false;
  }

  /** At the end the subscription takes nothing more, but stays open until its last delivery is settled, as the real one does. */
  async #take(source: Source, { end, idle, onDelivery }: Taking): Promise<number> {
    const { promise, resolve } = deferred<boolean>();
    const held = new Set<Delivery>();
    let [count, isOver] = [0, false];
    const closeWhenSettled = (): void => {
      if (isOver && held.size === 0) void subscription.close();
    };
    const settled = (delivery: Delivery, settle: () => void) => (): void => {
      settle();
      held.delete(delivery);
      closeWhenSettled();
    };
    const take = (delivery: Delivery): void => {
      count += 1;
      idle.renew();
      held.add(delivery);
      if (count === end) resolve(true);
      onDelivery({
        ...delivery,
        ack: settled(delivery, () => delivery.ack()),
        reject: settled(delivery, () => delivery.reject()),
      });
    };
    const subscription = this.#subscribe(source, take, () => !isOver && count < end);
    await idle.await(promise);
    isOver = true;
    closeWhenSettled();
    return count;
  }

  #subscribe(source: Source, onDelivery: OnDelivery, wants = (): boolean => true): Subscription {
    const subscription = new MemorySubscription(source, onDelivery, wants);
    this.#consumers.add(subscription);
    this.#attach(subscription);
    return {
      close: () => {
        this.#consumers.delete(subscription);
        subscription.detach();
        return Promise.resolve();
      },
    };
  }

  #report(): Pick<BackboneStatus, 'state' | 'reason'> {
    const { reason } = this.#watchdog;
    if (this.#state === 'up') return reason === undefined ? { state: 'up', reason: '' } : { state: 'blocked', reason };
    return { state: this.#state, reason: `the broker in memory is ${this.#state}` };
  }

  #traffic(): Traffic {
    return { isOpen: this.#state === 'up', destinations: this.#messages.outbox.destinations };
  }

  #look(): void {
    this.#watchdog.look();
    this.#notice.changed();
  }

  get #isUp(): boolean {
    return this.#state === 'up' || this.#state === 'blocked';
  }

  #connect(): void {
    for (const owed of this.#owed.splice(0)) owed();
    for (const lane of this.#lanes) lane.attach((entry) => this.#send(entry, lane));
    for (const subscription of this.#consumers) this.#attach(subscription);
  }

  #disconnect(): void {
    for (const lane of this.#lanes) lane.detach();
    for (const subscription of this.#consumers) subscription.detach();
  }

  #attach(subscription: MemorySubscription): void {
    if (this.#isUp) subscription.attach(this.#broker.store(subscription.queue));
  }

  /** The confirm comes in a later turn, and not at all when the broker goes down before. */
  #send(entry: Entry, lane: Lane): void {
    this.#broker.take(entry, this.#sender, () => {
      if (this.#isUp && entry.state !== 'waiting') lane.confirmed([entry]);
    });
  }

  #want(queue: QueueSpec): void {
    this.#change(() => this.#broker.declare(queue));
  }

  /** Only the head may change the topology. */
  #change(change: () => void): void {
    if (!this.#isHead) return;
    if (this.#isUp) change();
    else this.#owed.push(change);
  }
}

class MemorySubscription {
  readonly queue: string;
  readonly #consumer: MemoryConsumer;
  #next: StreamSource['offset'];
  #store: Store | undefined;
  #detach: (() => void) | undefined;

  constructor(source: Source, onDelivery: OnDelivery, wants: () => boolean) {
    this.queue = queueOf(source.from).name;
    this.#next = 'offset' in source ? source.offset : 0;
    this.#consumer = {
      prefetch: 'prefetch' in source ? source.prefetch : STREAM_CREDIT[source.from.to],
      wants,
      onDelivery: (delivery) => {
        this.#next = delivery.offset + 1;
        onDelivery(delivery);
      },
    };
  }

  /** No effect if the store is unchanged. */
  attach(store: Store | undefined): void {
    if (store === this.#store) return;
    this.detach();
    if (!this.#consumer.wants()) return;
    this.#store = store;
    this.#detach = store?.attach(this.#consumer, store.first(this.#next));
  }

  detach(): void {
    this.#detach?.();
    this.#detach = undefined;
    this.#store = undefined;
  }
}
