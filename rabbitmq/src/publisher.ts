import type { ChannelModel, ConfirmChannel, Message } from 'amqplib';
import { encodeBody } from './body.ts';
import { ChannelKeeper, type KeepChannel } from './channel-keeper.ts';
import { ConfirmWindow, type Confirm } from './confirm-window.ts';
import type { Lane } from './lane.ts';
import type { Link } from './link.ts';
import type { Entry } from './outbox.ts';
import { queueOf, UNROUTED_EXCHANGE, type BrokerRole } from './topology.ts';

const REFUSED_PAUSE_MS = 200;

export interface PublisherOptions {
  readonly link: Link;
  readonly lane: Lane;
  readonly name: string;
  readonly role: BrokerRole;
  /** Our user name at the broker; undefined if only the broker knows it (SASL EXTERNAL). */
  readonly user: string | undefined;
  readonly onChange: () => void;
}

/**
 * Sends a lane's messages to the broker and passes its confirms back. A nack (the queue is unavailable at the moment) returns the message
 * to the lane, which pauses; when the channel closes, all unconfirmed ones wait for the next channel.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #keeper: ChannelKeeper;
  readonly #blocked = Symbol('blocked');
  readonly #refused = Symbol('refused');
  readonly #stopListening: () => void;
  #open = false;
  #reason = '';

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#stopListening = options.link.onChange(() => this.#onLink());
    this.#keeper = new ChannelKeeper(options.link, this);
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Why it is not open; empty when it is. */
  get reason(): string {
    return this.#reason;
  }

  async close(): Promise<void> {
    this.#stopListening();
    await this.#keeper.close();
  }

  /** @internal Called by the keeper. */
  async start(model: ChannelModel, keep: KeepChannel): Promise<void> {
    const channel = keep(await model.createConfirmChannel());
    const window = new ConfirmWindow();
    const { lane, onChange } = this.#options;
    channel.on('ack', (confirm: Confirm) => lane.confirmed(window.settle(confirm)));
    channel.on('nack', (confirm: Confirm) => this.#refuse(window.settle(confirm)));
    channel.on('return', (message) => this.#returned(message, channel, window));
    lane.attach((entry) => this.#send(entry, channel, window));
    this.#open = true;
    this.#reason = '';
    onChange();
  }

  /** @internal Called by the keeper. */
  ended(reason: string): void {
    this.#open = false;
    this.#reason = reason;
    this.#options.lane.detach();
    this.#options.onChange();
  }

  #send(entry: Entry, channel: ConfirmChannel, window: ConfirmWindow): void {
    const { destination, key, frames } = entry.publication;
    const { exchange, routingKey } = queueOf(destination).binding;
    channel.publish(exchange, routingKey, encodeBody(frames), {
      persistent: true,
      mandatory: true,
      messageId: key,
      appId: this.#options.name,
      ...this.#sender,
    });
    window.sent(entry);
  }

  /** The broker accepts no user-id but that of the logged-in user, so the head can trust it. The head sets none: nobody checks it. */
  get #sender(): { readonly userId?: string } {
    const { role, user } = this.#options;
    return role === 'head' || user === undefined ? {} : { userId: user };
  }

  #returned({ properties, content, fields }: Message, channel: ConfirmChannel, window: ConfirmWindow): void {
    const isMissed = window.returned(String(properties.messageId));
    // Only the head may write to `unrouted`. Chunks in flight when their task ended, and its stream with it, are no loss.
    if (this.#options.role !== 'head' || !isMissed) return;
    // A copy for the operator: no code waits for it, so it is neither mandatory nor in the outbox.
    const headers = { 'x-routing-key': fields.routingKey };
    channel.publish(UNROUTED_EXCHANGE, '', content, { persistent: true, messageId: properties.messageId, headers });
    window.skip();
  }

  #refuse(entries: readonly Entry[]): void {
    const { lane } = this.#options;
    lane.refused(entries);
    lane.hold(this.#refused);
    setTimeout(() => lane.release(this.#refused), REFUSED_PAUSE_MS);
  }

  #onLink(): void {
    const { lane, link } = this.#options;
    if (link.blocked === undefined) lane.release(this.#blocked);
    else lane.hold(this.#blocked);
  }
}
