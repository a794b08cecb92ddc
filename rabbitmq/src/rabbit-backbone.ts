import { deferred, limits, MusterError, silentLogger, systemClock, within } from '@muster/shared';
import type { Clock, Logger, ProviderId, TaskId } from '@muster/shared';
import type { ChannelModel } from 'amqplib';
import { checkSize } from './body.ts';
import type {
  Backbone,
  BackboneState,
  BackboneStatus,
  Destination,
  OnDelivery,
  OnSettled,
  Publication,
  QueueSource,
  StreamSource,
  Subscription,
} from './backbone.ts';
import { brokerAccess, type BrokerAccess, type BrokerTls } from './broker-access.ts';
import { brokerAddress } from './broker-url.ts';
import { channelErrorCode, NOT_FOUND } from './channel-error.ts';
import { QueueConsumer, StreamReader } from './consumer.ts';
import { DeadLetters } from './dead-letters.ts';
import { DrainPass } from './drain.ts';
import { Link, reasonOf } from './link.ts';
import type { OutboxLimits } from './outbox.ts';
import { outboxStatus } from './outbox-status.ts';
import { Outlet } from './outlet.ts';
import { IdleTimeout } from './idle-timeout.ts';
import { ConfirmWatchdog, SILENCE_MS, type Traffic } from './confirm-watchdog.ts';
import { StateNotice } from './state-notice.ts';
import { isBulk, providerQueue, queueOf, streamsOf, type BrokerRole } from './topology.ts';
import { Watermarks } from './watermarks.ts';

export interface BackboneOptions {
  /** amqp:// or amqps://, with user and password. */
  readonly url: string;
  /** For `amqps://`. */
  readonly tls?: BrokerTls;
  /** Only the head declares queues; a provider may have no right to. */
  readonly role: BrokerRole;
  /** Shown in the broker's list of connections. */
  readonly name: string;
  readonly logger?: Logger;
  readonly maxOutboxBytes?: number;
  /** Block chunks have an outbox and a connection of their own. */
  readonly maxBlockOutboxBytes?: number;
  readonly clock?: Clock;
  /** A broker that confirms nothing for this long while messages wait is reported as `blocked`; default 5000. */
  readonly maxSilenceMs?: number;
}

/** Messages are a few kB: the window of 1000 messages is full before this one. */
const MESSAGE_WINDOW_BYTES = 16 * 2 ** 20;
const BLOCK_WINDOW = { windowMessages: 64, windowBytes: 32 * 2 ** 20 };

/**
 * Returns at once: the broker may be reached later, or never. Throws BACKBONE_REFUSED for an invalid URL, and for the user guest on another
 * machine.
 *
 * @example const backbone = openBackbone({ url: 'amqp://head:secret@broker/muster', role: 'head', name: 'muster head' });
 */
export const openBackbone = (options: BackboneOptions): Backbone => new RabbitBackbone(options);

/**
 * One connection for publishing and one for consuming, because a broker with a resource alarm stops reading from publishing connections,
 * acknowledgements included. Chunks get two connections of their own on first use, so that bulk delays neither confirms nor deliveries.
 * `up` means that the first two work; a lost chunk connection does not change the state, a blocked one does.
 */
class RabbitBackbone implements Backbone {
  readonly #options: Required<BackboneOptions>;
  readonly #broker: BrokerAccess;
  readonly #watermarks = new Watermarks();
  readonly #notice: StateNotice;
  readonly #subscriptions = new Set<Subscription>();
  readonly #messages: Outlet;
  readonly #incoming: Link;
  readonly #dead: DeadLetters | undefined;
  readonly #watchdog: ConfirmWatchdog;
  readonly #looking: NodeJS.Timeout;
  #blocks: Outlet | undefined;
  #blockReader: Link | undefined;
  #wasUp = false;

  constructor(options: BackboneOptions) {
    this.#options = {
      logger: silentLogger,
      tls: {},
      maxOutboxBytes: limits.backboneOutboxBytes.value,
      maxBlockOutboxBytes: limits.backboneBlockOutboxBytes.value,
      clock: systemClock,
      maxSilenceMs: SILENCE_MS,
      ...options,
    };
    this.#broker = brokerAccess(options.url, options.tls);
    this.#notice = new StateNotice(() => this.status());
    const windowMessages = limits.backboneWindow.value;
    const maxBytes = this.#options.maxOutboxBytes;
    this.#messages = this.#outlet('publish', { maxBytes, windowMessages, windowBytes: MESSAGE_WINDOW_BYTES });
    this.#incoming = this.#link('consume');
    if (options.role === 'head') this.#dead = new DeadLetters(this.#incoming, this.#options.logger);
    this.#watchdog = new ConfirmWatchdog(this.#options.maxSilenceMs, () => this.#traffic());
    this.#looking = setInterval(() => this.#look(), this.#watchdog.lookMs).unref();
  }

  status(): BackboneStatus {
    const dead = this.#dead?.count ?? 0;
    return { ...this.#state(), ...outboxStatus(this.#messages.lane, this.#blocks?.lane), dead };
  }

  onState(listener: (status: BackboneStatus) => void): () => void {
    return this.#notice.listen(listener);
  }

  publish(publication: Publication, onSettled?: OnSettled): void {
    checkSize(publication.frames);
    const { destination } = publication;
    if (destination.to === 'work') this.#messages.want(queueOf(destination));
    const outlet = isBulk(destination) ? this.#blockOutlet() : this.#messages;
    outlet.lane.publish(publication, onSettled);
  }

  withdraw(keys: readonly string[]): void {
    this.#messages.lane.withdraw(keys);
    this.#blocks?.lane.withdraw(keys);
  }

  isMute(destination: Destination): boolean {
    return this.#messages.lane.outbox.isMute(destination);
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
    this.#messages.want(providerQueue(provider));
  }

  dismiss(provider: ProviderId): void {
    this.#messages.discard(providerQueue(provider));
  }

  openTask(task: TaskId): void {
    for (const stream of streamsOf(task)) this.#blockOutlet().want(stream);
  }

  closeTask(task: TaskId, onClosed?: () => void): void {
    const streams = streamsOf(task);
    const onDeleted = onClosed && afterAll(streams.length, onClosed);
    for (const stream of streams) this.#blockOutlet().discard(stream, onDeleted);
  }

  consume(source: QueueSource, onDelivery: OnDelivery): Subscription {
    const { logger } = this.#options;
    return this.#keep(new QueueConsumer(source, { link: this.#incoming, logger, onDelivery }));
  }

  read(source: StreamSource, onDelivery: OnDelivery): Subscription {
    const { logger } = this.#options;
    return this.#keep(new StreamReader(source, { link: this.#linkFor(source), logger, onDelivery }));
  }

  async drain(
    source: QueueSource | StreamSource,
    { withinMs, onDelivery }: { readonly withinMs: number; readonly onDelivery: OnDelivery },
  ): Promise<number> {
    const idle = new IdleTimeout(withinMs);
    const pass = new DrainPass(source, { onDelivery, idle, logger: this.#options.logger });
    try {
      await this.#drainBy(this.#linkFor(source), pass, idle);
    } finally {
      idle.end();
    }
    return pass.count;
  }

  async close({ withinMs }: { readonly withinMs: number }): Promise<void> {
    const outlets = this.#blocks ? [this.#messages, this.#blocks] : [this.#messages];
    const done = Promise.all(outlets.map((outlet) => outlet.idle()));
    await within(done, withinMs, () => this.#unreachable()).catch(() => undefined);
    this.#notice.end();
    clearInterval(this.#looking);
    const open = this.#dead ? [...this.#subscriptions, this.#dead] : [...this.#subscriptions];
    await Promise.all(open.map((subscription) => subscription.close()));
    const readers = this.#blockReader ? [this.#incoming, this.#blockReader] : [this.#incoming];
    await Promise.all([...outlets, ...readers].map((closable) => closable.close()));
  }

  #outlet(purpose: string, outboxLimits: OutboxLimits): Outlet {
    const { role, name, clock, logger } = this.#options;
    const onChange = (): void => this.#changed();
    const common = { broker: this.#broker, role, clock, logger, onChange, watermarks: this.#watermarks };
    return new Outlet({ ...common, name: `${name}: ${purpose}`, limits: outboxLimits });
  }

  #blockOutlet(): Outlet {
    this.#blocks ??= this.#outlet('blocks', { ...BLOCK_WINDOW, maxBytes: this.#options.maxBlockOutboxBytes });
    return this.#blocks;
  }

  #link(purpose: string): Link {
    const link = new Link({ broker: this.#broker, name: `${this.#options.name}: ${purpose}` });
    link.onChange(() => this.#changed());
    return link;
  }

  #linkFor({ from }: QueueSource | StreamSource): Link {
    if (!isBulk(from)) return this.#incoming;
    this.#blockReader ??= this.#link('read blocks');
    return this.#blockReader;
  }

  #keep(subscription: Subscription): Subscription {
    this.#subscriptions.add(subscription);
    return {
      close: () => {
        this.#subscriptions.delete(subscription);
        return subscription.close();
      },
    };
  }

  /** Each connection is tried once: the link notices a lost one later than its users do, and would offer it again. */
  async #drainBy(link: Link, pass: DrainPass, idle: IdleTimeout): Promise<void> {
    for (let lost: ChannelModel | undefined; ;) {
      const model = await this.#reached(link, lost, idle);
      if (!model) throw this.#unreachable();
      if (!lost) idle.renew();
      if (await this.#tryDrain(pass, model)) return;
      lost = model;
    }
  }

  /** False when the connection was lost on the way. */
  async #tryDrain(pass: DrainPass, model: ChannelModel): Promise<boolean> {
    const answered = await pass.run(model).catch((error: unknown) => {
      // A missing queue holds nothing.
      if (channelErrorCode(error) === NOT_FOUND) return true;
      if (channelErrorCode(error) !== undefined) throw this.#refused(error);
      return undefined;
    });
    if (answered === false) throw this.#unreachable();
    return answered ?? false;
  }

  /**
   * Resolves to a connection other than `lost` once the state is up, for by then the head has asserted its queues; undefined when `idle`
   * expires.
   */
  async #reached(link: Link, lost: ChannelModel | undefined, idle: IdleTimeout): Promise<ChannelModel | undefined> {
    const { promise, resolve } = deferred<ChannelModel>();
    const stop = this.#notice.watch(() => {
      const { state } = this.#state();
      const isUp = state === 'up' || state === 'blocked';
      if (isUp && link.model && link.model !== lost) resolve(link.model);
    });
    return idle.await(promise).finally(stop);
  }

  #refused(error: unknown): MusterError {
    return new MusterError(
      'BACKBONE_REFUSED',
      `the backbone at ${brokerAddress(this.#broker.address)} refuses what is asked`,
      {
        why: reasonOf(error),
        fix: 'give the user of AMQP_URL the rights of broker/definitions.json',
        cause: error,
      },
    );
  }

  #unreachable(): MusterError {
    const reason = this.#state().reason || 'it does not answer';
    const code =
      reason.includes('ACCESS_REFUSED') || reason.includes('ACCESS-REFUSED') ? 'BACKBONE_REFUSED' : 'BACKBONE_DOWN';
    const where = brokerAddress(this.#broker.address);
    return new MusterError(code, `the backbone at ${where} cannot be used`, {
      why: reason,
      fix: 'check AMQP_URL, user and password, and that RabbitMQ runs',
    });
  }

  #state(): { readonly state: BackboneState; readonly reason: string } {
    const { link, publisher } = this.#messages;
    const blocked = link.blocked ?? this.#blocks?.link.blocked ?? this.#watchdog.reason;
    const reason = link.reason || this.#incoming.reason || publisher.reason;
    if (!publisher.isOpen || !this.#incoming.model) return { state: this.#wasUp ? 'down' : 'connecting', reason };
    return blocked === undefined ? { state: 'up', reason: '' } : { state: 'blocked', reason: blocked };
  }

  #traffic(): Traffic {
    const { link, lane, publisher } = this.#messages;
    return { isOpen: publisher.isOpen && link.blocked === undefined, destinations: lane.outbox.destinations };
  }

  #look(): void {
    for (const queue of this.#watchdog.look())
      this.#options.logger.warn({ queue }, 'a queue of the broker confirms nothing; what is for it waits');
    void this.#dead?.look();
    this.#changed();
  }

  #changed(): void {
    const { state, reason } = this.#state();
    this.#wasUp ||= state === 'up';
    if (this.#notice.changed()) this.#options.logger.info({ state, reason }, 'backbone');
  }
}

/** Returns a function that calls `then` on its `times`-th call. */
function afterAll(times: number, then: () => void): () => void {
  let left = times;
  return () => {
    left -= 1;
    if (left === 0) then();
  };
}
