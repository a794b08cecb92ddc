import type { Logger } from '@muster/shared';
import type { Channel, ChannelModel } from 'amqplib';
import type { Lane } from './lane.ts';
import { reasonOf } from './link.ts';
import { exchanges, staticQueues, type QueueSpec } from './topology.ts';

/** A broker that has just started says of a stream that its home is down, for a moment. */
const RETRY_MS = 2000;

/**
 * What the head wants to exist, asserted at every connection and in between as it changes. While a queue is being declared the lane is
 * held, so that nothing is published to it before. Exchanges must succeed. A queue that cannot be declared is logged and costs that
 * one only: somebody declared it with other arguments, or its files did not survive a crash (3.10 says so of a stream that was made less
 * than a second before a SIGKILL). What is published to it comes back and is counted as unrouted.
 */
export class Declarations {
  readonly #lane: Lane;
  readonly #logger: Logger;
  readonly #retryMs: number;
  readonly #wanted = new Map<string, QueueSpec>();
  /** What to do when they are gone, by name. */
  readonly #unwanted = new Map<string, () => void>();
  readonly #onDeleted: (() => void)[] = [];
  readonly #held = Symbol('declaring');
  #channel: Channel | undefined;
  #model: ChannelModel | undefined;
  #tail: Promise<void> = Promise.resolve();
  #pending = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(lane: Lane, logger: Logger, retryMs = RETRY_MS) {
    this.#lane = lane;
    this.#logger = logger;
    this.#retryMs = retryMs;
  }

  want(queue: QueueSpec): void {
    this.#unwanted.delete(queue.name);
    if (this.#wanted.has(queue.name)) return;
    this.#wanted.set(queue.name, queue);
    this.#enqueue(queue.name, (channel) => assertQueue(channel, queue));
  }

  discard({ name }: QueueSpec, onDeleted: () => void = () => undefined): void {
    this.#wanted.delete(name);
    this.#unwanted.set(name, onDeleted);
    this.#enqueue(name, (channel) => this.#delete(name, channel));
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
    for (const queue of [...staticQueues, ...this.#wanted.values()])
      await this.#try(queue.name, (channel) => assertQueue(channel, queue));
    for (const name of this.#unwanted.keys()) await this.#try(name, (channel) => this.#delete(name, channel));
    // What failed above may have failed with the connection; then this fails too, and so does the attempt.
    await (await model.createChannel()).close();
  }

  /** The connection is gone; what changes now is declared at the next one. */
  disconnected(): void {
    this.#model = undefined;
  }

  #enqueue(name: string, step: (channel: Channel) => Promise<unknown>): void {
    if (!this.#model) return;
    this.#pending += 1;
    this.#lane.hold(this.#held);
    this.#tail = this.#tail.then(() => this.#try(name, step)).then(() => this.#done());
  }

  #done(): void {
    this.#pending -= 1;
    if (this.#pending === 0) this.#lane.release(this.#held);
  }

  /** One that is not there is deleted. What fails is tried again, by the next connection at the latest. */
  async #delete(name: string, channel: Channel): Promise<void> {
    await channel.deleteQueue(name);
    this.#unwanted.get(name)?.();
    this.#unwanted.delete(name);
    for (const deleted of this.#onDeleted.splice(0)) deleted();
  }

  async #try(name: string, step: (channel: Channel) => Promise<unknown>): Promise<void> {
    try {
      if (this.#model) await step(this.#channel ?? (await this.#open(this.#model)));
    } catch (error) {
      this.#logger.warn({ queue: name, reason: reasonOf(error) }, 'a queue could not be declared or deleted');
      if (this.#unwanted.has(name)) this.#deleteSoon();
    }
  }

  #deleteSoon(): void {
    if (this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      for (const name of this.#unwanted.keys()) this.#enqueue(name, (channel) => this.#delete(name, channel));
    }, this.#retryMs).unref();
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
