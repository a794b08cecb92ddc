import type { Logger } from '@muster/shared';
import type { Channel, ChannelModel } from 'amqplib';
import { setTimeout as pause } from 'node:timers/promises';
import { channelErrorCode, NOT_FOUND } from './channel-error.ts';
import type { Lane } from './lane.ts';
import { reasonOf } from './link.ts';
import { exchanges, staticQueues, type QueueSpec } from './topology.ts';

export interface Retries {
  /** Between tries at what the broker does not let us declare or delete yet. */
  readonly retryMs: number;
  /** ... and between those of a new connection, which is not used before, or until so many have failed. */
  readonly startRetryMs: number;
  readonly startTries: number;
}

const RETRIES: Retries = { retryMs: 2000, startRetryMs: 200, startTries: 50 };

/**
 * What the head wants to exist, asserted at every connection and in between as it changes. While a queue is being declared the lane is
 * held, so that nothing is published to it before: what nobody takes comes back, and is lost. Exchanges must succeed.
 *
 * A broker that was killed takes connections before all of its streams are there, and says of those that their home is down: for a moment,
 * or for good where they were made less than a second before a SIGKILL (3.10). So a new connection waits for them some seconds and then
 * does without, and they are tried again. What somebody has declared with other arguments is logged and costs that one only.
 */
export class Declarations {
  readonly #lane: Lane;
  readonly #logger: Logger;
  readonly #retries: Retries;
  readonly #wanted = new Map<string, QueueSpec>();
  /** Those of them whose home is down. */
  readonly #missing = new Set<string>();
  /** What to do when they are gone, by name. */
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

  /** At every connection, before anything else uses it. Rejects when exchanges cannot be asserted or the connection is lost. */
  async assertAll(model: ChannelModel): Promise<void> {
    this.#model = model;
    this.#channel = undefined;
    await assertExchanges(await this.#open(model));
    this.#missing.clear();
    for (const queue of [...staticQueues, ...this.#wanted.values()]) await this.#declare(queue);
    await this.#awaitMissing();
    for (const name of this.#unwanted.keys()) await this.#delete(name);
    // What failed above may have failed with the connection; then this fails too, and so does the attempt.
    await (await model.createChannel()).close();
  }

  /** The connection is gone; what changes now is declared at the next one. */
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

  /** One that is not there is deleted. What fails is tried again, by the next connection at the latest. */
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
    // What failed is told to the one that waits for it.
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
