import { backoffMs } from '@muster/shared';
import type { Channel, ChannelModel } from 'amqplib';
import { reasonOf, type Link } from './link.ts';

export interface Tenant {
  /** Opens a channel and starts its work on it. Called again with back-off if it rejects. */
  start(model: ChannelModel, keep: KeepChannel): Promise<void>;
  /** The channel is gone. */
  ended(reason: string): void;
}

/** The tenant passes its channel as soon as it is open, before any other use. */
export type KeepChannel = <C extends Channel>(channel: C) => C;

const RETRY = { firstMs: 100, factor: 2, maxMs: 3000 };

/** Keeps one channel open for its tenant while the link is up, so that a channel error costs only the channel. */
export class ChannelKeeper {
  readonly #link: Link;
  readonly #tenant: Tenant;
  readonly #stopListening: () => void;
  #model: ChannelModel | undefined;
  #channel: Channel | undefined;
  #retry: NodeJS.Timeout | undefined;
  #attempt = 0;
  #openedMs = 0;
  #lastError = '';
  #closed = false;

  constructor(link: Link, tenant: Tenant) {
    this.#link = link;
    this.#tenant = tenant;
    this.#stopListening = link.onChange(() => this.#onLink());
    // Not at once: the tenant may still be under construction.
    queueMicrotask(() => this.#onLink());
  }

  /** Begins again on a new channel. */
  restart(reason: string): void {
    this.#lastError = reason;
    if (this.#channel) void this.#channel.close().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    clearTimeout(this.#retry);
    await this.#channel?.close().catch(() => undefined);
  }

  #onLink(): void {
    if (this.#closed || this.#link.model === this.#model) return;
    this.#model = this.#link.model;
    this.#attempt = 0;
    clearTimeout(this.#retry);
    if (this.#model) void this.#start(this.#model);
  }

  async #start(model: ChannelModel): Promise<void> {
    let kept = false;
    try {
      await this.#tenant.start(model, (channel) => {
        kept = true;
        return this.#keep(channel);
      });
    } catch (error) {
      // Once a channel is kept, its 'close' event, which may have fired already, starts the next one.
      if (kept) this.restart(reasonOf(error));
      else if (model === this.#model) this.#ended(reasonOf(error));
    }
  }

  #keep<C extends Channel>(channel: C): C {
    this.#channel = channel;
    this.#openedMs = performance.now();
    this.#lastError = '';
    channel.on('error', (error) => (this.#lastError = reasonOf(error)));
    channel.on('close', () => {
      if (this.#channel !== channel) return;
      this.#channel = undefined;
      this.#ended(this.#lastError || 'channel closed');
    });
    if (this.#closed) void channel.close().catch(() => undefined);
    return channel;
  }

  #ended(reason: string): void {
    this.#tenant.ended(reason);
    const model = this.#link.model;
    if (this.#closed || !model || model !== this.#model) return;
    // Back off from a channel that fails right after opening; reset the attempts after one that lasted.
    if (performance.now() - this.#openedMs > RETRY.maxMs) this.#attempt = 0;
    this.#attempt += 1;
    this.#retry = setTimeout(() => void this.#start(model), backoffMs(RETRY, this.#attempt, Math.random()));
  }
}
