import type { Logger } from '@muster/shared';
import type { Channel, ChannelModel } from 'amqplib';
import { setTimeout as pause } from 'node:timers/promises';
import { channelErrorCode, NOT_FOUND } from './channel-error.ts';
import type { Lane } from './lane.ts';
import { reasonOf } from './link.ts';
import { exchanges, staticQueues, type QueueSpec } from './topology.ts';

export interface Retries {
  /** Pause between attempts to declare or delete what the broker refuses for now. */
  readonly retryMs: number;
  /** The same on a new connection, which is not used until all succeed or `startTries` attempts have failed. */
  readonly startRetryMs: number;
  readonly startTries: number;
}

const RETRIES: Retries = { retryMs: 2000, startRetryMs: 200, startTries: 50 };

/**
 * Topology that the head wants, asserted at every connection and whenever it changes. The lane is held while a queue is being declared: a
 * message published to it earlier would be returned as unroutable and lost. Declaring an exchange must succeed.
 *
 * After a kill the broker accepts connections before all of its streams are back, and answers 404 (home node down) for those: for a moment,
 * or for good if they were created less than a second before the SIGKILL (3.10). So a new connection waits some seconds for them, then goes
 * on without, and retries later. A queue that exists with other arguments is logged and skipped; the others are not affected.
 */
export class Declarations {
  readonly #lane: Lane;
  readonly #logger: Logger;
  readonly #retries: Retries;
  readonly #wanted = new Map<string, QueueSpec>();
  /** Queues, static ones included, that the broker answered 404 for. */
  readonly #missing = new Set<string>();
  /** Queues to delete, by name, with the callback for when they are gone. */
  readonly #unwanted = new Map<string, () => void>();
  readonly #onDeleted: (() => void)[] = [];
  readonly #held = Symbol('declaring');
  #channel: Channel | undefined;
  #model: ChannelModel | undefined;
  #tail: Promise<void> = Promise.resolve();
  #pending = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(lane: Lane, logger: Logger, retries: Retries = RETRIES) {
    this.#lane = lane;
    this.#logger = logger;
    this.#retries = retries;
  }

  want(queue: QueueSpec): void {
    this.#unwanted.delete(queue.name);
    if (this.#wanted.has(queue.name)) return;
    this.#wanted.set(queue.name, queue);
    this.#enqueue(() => this.#declare(queue));
  }

  discard({ name }: QueueSpec, onDeleted: () => void = () => undefined): void {
    this.#wanted.delete(name);
    this.#missing.delete(name);
    this.#unwanted.set(name, onDeleted);
    this.#enqueue(() => this.#delete(name));
  }

  /** Resolves when nothing is left to be deleted. */
  async cleared(): Promise<void> {
    while (this.#unwanted.size > 0) await new Promise<void>((resolve) => this.#onDeleted.push(resolve));
  }

  /** To be called at every connection, before any other use of it. Rejects when exchanges cannot be asserted or the connection is lost. */
  async assertAll(model: ChannelModel): Promise<void> {
    this.#model = model;
    this.#channel = undefined;
    await assertExchanges(await this.#open(model));
    this.#missing.clear();
    for (const queue of [...staticQueues, ...this.#wanted.values()]) await this.#declare(queue);
    await this.#awaitMissing();
    for (const name of this.#unwanted.keys()) await this.#delete(name);
    // If the steps above failed because the connection is gone, this throws too and fails the attempt.
    await (await model.createChannel()).close();
  }

  /** The connection is gone; later changes are declared at the next one. */
  disconnected(): void {
    this.#model = undefined;
  }

  #enqueue(step: () => Promise<unknown>): void {
    if (!this.#model) return;
    this.#pending += 1;
    this.#lane.hold(this.#held);
    this.#tail = this.#tail.then(step).then(() => this.#done());
  }

  #done(): void {
    this.#pending -= 1;
    if (this.#pending === 0) this.#lane.release(this.#held);
  }

  async #awaitMissing(): Promise<void> {
    for (let left = this.#retries.startTries; left > 0 && this.#model && this.#missing.size > 0; left--) {
      await pause(this.#retries.startRetryMs, undefined, { ref: false });
      await this.#declareMissing();
    }
  }

  async #declareMissing(): Promise<void> {
    const known = [...staticQueues, ...this.#wanted.values()];
    for (const queue of known.filter(({ name }) => this.#missing.has(name))) await this.#declare(queue);
  }

  async #declare(queue: QueueSpec): Promise<void> {
    const error = await this.#tried((channel) => assertQueue(channel, queue));
    const isMissing = channelErrorCode(error) === NOT_FOUND;
    if (error !== undefined && !this.#missing.has(queue.name)) this.#warn(queue.name, error);
    if (!isMissing) return void this.#missing.delete(queue.name);
    this.#missing.add(queue.name);
    this.#trySoon();
  }

  /** Deleting an absent queue succeeds. A failure is retried, on the next connection at the latest. */
  async #delete(name: string): Promise<void> {
    const error = await this.#tried((channel) => channel.deleteQueue(name));
    if (error !== undefined) {
      this.#warn(name, error);
      return this.#trySoon();
    }
    this.#unwanted.get(name)?.();
    this.#unwanted.delete(name);
    for (const deleted of this.#onDeleted.splice(0)) deleted();
  }

  /** Resolves to the error, undefined when all went well. */
  async #tried(step: (channel: Channel) => Promise<unknown>): Promise<unknown> {
    try {
      if (!this.#model) return new Error('the connection is gone');
      await step(this.#channel ?? (await this.#open(this.#model)));
      return undefined;
    } catch (error) {
      return error;
    }
  }

  #warn(queue: string, error: unknown): void {
    this.#logger.warn({ queue, reason: reasonOf(error) }, 'a queue could not be declared or deleted');
  }

  #trySoon(): void {
    if (this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#enqueue(() => this.#declareMissing());
      for (const name of this.#unwanted.keys()) this.#enqueue(() => this.#delete(name));
    }, this.#retries.retryMs).unref();
  }

  async #open(model: ChannelModel): Promise<Channel> {
    const channel = await model.createChannel();
    this.#channel = channel;
    // The pending call rejects with the same error.
    channel.on('error', () => undefined);
    channel.on('close', () => {
      if (this.#channel === channel) this.#channel = undefined;
    });
    return channel;
  }
}

async function assertExchanges(channel: Channel): Promise<void> {
  for (const { name, type } of exchanges) await channel.assertExchange(name, type, { durable: true });
}

async function assertQueue(channel: Channel, { name, arguments: args, binding }: QueueSpec): Promise<void> {
  await channel.assertQueue(name, { durable: true, arguments: args });
  await channel.bindQueue(name, binding.exchange, binding.routingKey);
}
