import type { Logger } from '@muster/shared';
import type { Channel, ChannelModel } from 'amqplib';
import { ChannelKeeper, type KeepChannel } from './channel-keeper.ts';
import type { Link } from './link.ts';
import { queueOf } from './topology.ts';

/** Polls the length of `dead` and warns when it grows: only an operator takes messages from there. */
export class DeadLetters {
  readonly #logger: Logger;
  readonly #keeper: ChannelKeeper;
  #channel: Channel | undefined;
  #isAsking = false;
  #count = 0;

  constructor(link: Link, logger: Logger) {
    this.#logger = logger;
    this.#keeper = new ChannelKeeper(link, this);
  }

  /** As of the last `look`. */
  get count(): number {
    return this.#count;
  }

  /** Does not ask again while an answer is outstanding: the broker may hang. */
  async look(): Promise<void> {
    if (!this.#channel || this.#isAsking) return;
    this.#isAsking = true;
    try {
      this.#found((await this.#channel.checkQueue(queueOf({ to: 'dead' }).name)).messageCount);
    } catch {
      // The channel has ended, and the keeper opens the next.
    } finally {
      this.#isAsking = false;
    }
  }

  close(): Promise<void> {
    return this.#keeper.close();
  }

  /** @internal Called by the keeper. */
  async start(model: ChannelModel, keep: KeepChannel): Promise<void> {
    this.#channel = keep(await model.createChannel());
  }

  /** @internal Called by the keeper. */
  ended(): void {
    this.#channel = undefined;
  }

  #found(messages: number): void {
    if (messages > this.#count)
      this.#logger.warn({ messages }, 'messages that nobody could work off lie in the queue `dead` of the broker');
    this.#count = messages;
  }
}
