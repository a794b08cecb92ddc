/**
 * Results that come by the broker. Their bytes are in the head's store, in the task's stream, on their way by ZeroMQ, or in the message.
 */
import { decode, isMusterError, type Fields, type Logger, type ProviderId, type TaskId } from '@muster/shared';
import type { Backbone, Delivery, Subscription } from '@muster/rabbitmq';
import { statSync } from 'node:fs';
import { ResultCopies } from '../core/result-copies.ts';
import type { MirrorListener } from './mirror.ts';
import { StreamedResults } from './streamed-results.ts';

export interface Delivered {
  readonly result: Fields<'delivered'>;
  readonly payload: Uint8Array | null;
}

export interface MirroredResultsPorts {
  readonly backbone: Backbone;
  readonly incomingPath: (task: TaskId, lease: number) => string;
  readonly speaksFor: (user: string | null, provider: ProviderId) => boolean;
  readonly logger: Logger;
  readonly listener: MirrorListener;
}

/** More than all nodes together hold leases, so that copies that wait for their settlement never stop the queue. */
const PREFETCH = 2000;

export class MirroredResults {
  readonly #ports: MirroredResultsPorts;
  readonly #streamed: StreamedResults;
  readonly #copies: ResultCopies;
  #subscription: Subscription | null = null;

  constructor(ports: MirroredResultsPorts) {
    this.#ports = ports;
    this.#copies = new ResultCopies(ports.listener);
    this.#streamed = new StreamedResults({
      ...ports,
      isFree: (lease) => ports.listener.isFree(lease),
      onWhole: (result) => this.#hand({ result, payload: null }),
    });
  }

  /** Resolves when the results that were left in the queue are in, or the broker was not reached in time. */
  async start(withinMs: number): Promise<void> {
    const { backbone, logger } = this.#ports;
    const source = { from: { to: 'results' }, prefetch: PREFETCH } as const;
    const onDelivery = (delivery: Delivery): void => this.#take(delivery);
    try {
      const found = await backbone.drain(source, { withinMs, onDelivery });
      if (found > 0) logger.info({ found }, 'results that were left with the broker');
    } catch (error) {
      if (!isMusterError(error)) throw error;
      logger.warn({ why: error.why }, 'the broker was not reached at the start; its results come later');
    }
    this.#subscription = backbone.consume(source, onDelivery);
  }

  release(lease: number): void {
    this.#copies.release(lease);
  }

  end(task: TaskId): void {
    this.#streamed.end(task);
    this.#copies.end(task);
  }

  async stop(): Promise<void> {
    await this.#streamed.stop();
    await this.#subscription?.close();
  }

  #take(delivery: Delivery): void {
    try {
      const { message, payload } = decode(delivery.frames);
      if (message.type !== 'delivered') return delivery.reject();
      if (!this.#ports.speaksFor(delivery.from, message.provider)) return this.#forged(message, delivery);
      this.#arrived(message, payload, delivery);
    } catch (error) {
      this.#ports.logger.warn({ error, key: delivery.key }, 'a result from the broker cannot be read');
      delivery.reject();
    }
  }

  /** Rejected into the queue `dead`, where people can look at it. */
  #forged({ provider, lease }: Fields<'delivered'>, delivery: Delivery): void {
    this.#ports.logger.warn({ provider, lease, from: delivery.from }, 'a result was left in the name of another node');
    delivery.reject();
  }

  #arrived(result: Fields<'delivered'>, payload: Uint8Array | null, delivery: Delivery): void {
    const { task, lease } = result;
    if (!this.#copies.hold({ task, lease, ack: () => delivery.ack() })) return;
    if (result.way === 'stream') this.#streamed.want(result, delivery.from);
    else if (result.way === 'inline' || (result.way === 'store' && this.#isHere(result)))
      this.#hand({ result, payload });
    else this.#copies.looked(lease);
  }

  #isHere({ task, lease, bytes }: Fields<'delivered'>): boolean {
    return statSync(this.#ports.incomingPath(task, lease), { throwIfNoEntry: false })?.size === bytes;
  }

  #hand(delivered: Delivered): void {
    this.#ports.listener.delivered(delivered);
    this.#copies.looked(delivered.result.lease);
  }
}
