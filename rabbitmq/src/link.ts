import type { Duplex } from 'node:stream';
import { within } from '@muster/shared';
import { connect, type ChannelModel, type RecoveringChannelModel } from 'amqplib';
import type { BrokerAccess } from './broker-access.ts';

export type LinkState = 'connecting' | 'up' | 'down';

export interface LinkOptions {
  readonly broker: BrokerAccess;
  /** Shown in the broker's list of connections. */
  readonly name: string;
  /** Runs at every connection, before the link is up. When it fails, the connection is tried again. */
  readonly setup?: (model: ChannelModel) => Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5000;
const CLOSE_TIMEOUT_MS = 1000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 2000;

/**
 * One connection that reconnects by itself, with jittered back-off, until it is closed; the first attempt may fail like any other.
 * Connection errors show in `state` and `reason`; nothing here throws.
 */
export class Link {
  readonly #options: LinkOptions;
  readonly #listeners = new Set<() => void>();
  readonly #connection: Promise<RecoveringChannelModel>;
  #state: LinkState = 'connecting';
  #reason = 'not connected yet';
  #model: ChannelModel | undefined;
  #blocked: string | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#connection = this.#open();
    // Rejects if not even an attempt could be made; `reason` then has the error.
    this.#connection.catch((error: unknown) => this.#lost(error));
  }

  get state(): LinkState {
    return this.#state;
  }

  get reason(): string {
    return this.#reason;
  }

  /** Present while up. */
  get model(): ChannelModel | undefined {
    return this.#model;
  }

  /** The broker's reason for not reading what we publish. */
  get blocked(): string | undefined {
    return this.#blocked;
  }

  /** Called at every change. Returns the unsubscribe function. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    const model = this.#model;
    this.#listeners.clear();
    this.#model = undefined;
    const connection = await this.#connection.catch(() => undefined);
    // A broker that is frozen answers nothing; its socket would keep the process alive until the heartbeat ends it.
    const closing = connection?.close() ?? Promise.resolve();
    await within(closing, CLOSE_TIMEOUT_MS, () => new Error('the broker does not answer')).catch(() => {
      if (model) cutSocket(model);
    });
  }

  async #open(): Promise<RecoveringChannelModel> {
    const { broker, name } = this.#options;
    const connection = await connect(broker.address, {
      ...broker.socket,
      noDelay: true,
      timeout: CONNECT_TIMEOUT_MS,
      clientProperties: { connection_name: name },
      recovery: {
        waitForConnect: false,
        initialDelay: FIRST_DELAY_MS,
        maxDelay: MAX_DELAY_MS,
        jitter: 0.5,
        setup: (model: ChannelModel) => this.#setUp(model),
      },
    });
    connection.on('connect', (model: ChannelModel) => this.#connected(model));
    connection.on('disconnect', (error) => this.#lost(error));
    connection.on('connect-failed', (error) => this.#lost(error));
    connection.on('error', (error) => (this.#reason = reasonOf(error)));
    connection.on('blocked', (reason) => this.#setBlocked(reason));
    connection.on('unblocked', () => this.#setBlocked(undefined));
    return connection;
  }

  async #setUp(model: ChannelModel): Promise<void> {
    // amqplib adds its own listeners only after this; an 'error' event without a listener would end the process.
    model.on('error', (error) => (this.#reason = reasonOf(error)));
    await this.#options.setup?.(model);
  }

  #connected(model: ChannelModel): void {
    this.#model = model;
    this.#state = 'up';
    this.#reason = '';
    this.#changed();
  }

  #lost(error: unknown): void {
    this.#model = undefined;
    this.#blocked = undefined;
    this.#state = this.#state === 'connecting' ? 'connecting' : 'down';
    this.#reason = reasonOf(error);
    this.#changed();
  }

  #setBlocked(reason: string | undefined): void {
    this.#blocked = reason;
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** What the broker or the socket said. Neither knows the URL, so no password can be in it. */
export const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message || error.name : String(error);

/** Destroys the socket without the closing handshake, as a crash would. */
export function cutSocket(model: ChannelModel): void {
  (model.connection as unknown as { stream: Duplex }).stream.destroy();
}
