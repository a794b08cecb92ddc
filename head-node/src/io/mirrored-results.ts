/**
 * Results that come by the broker. A delivery is acknowledged when nobody needs it any more: its lease is settled, which the journal
 * has on disk, or void. Its bytes lie in the head's store, or come in the task's stream, or by ZeroMQ, or are in it.
 */
import { decode, isMusterError, type Fields, type Logger, type TaskId } from '@muster/shared';
import type { Backbone, Delivery, Subscription } from '@muster/rabbitmq';
import { statSync } from 'node:fs';
import type { MirrorListener } from './mirror.ts';
import { StreamedResults } from './streamed-results.ts';

export interface Delivered {
  readonly result: Fields<'delivered'>;
  readonly payload: Uint8Array | null;
}

export interface MirroredResultsPorts {
  readonly backbone: Backbone;
  readonly incomingPath: (task: TaskId, lease: number) => string;
  readonly logger: Logger;
  readonly listener: MirrorListener;
}

/** More than the leases that all nodes may have, so that copies that wait for their settlement never stop the queue. */
const PREFETCH = 2000;

export class MirroredResults {
  readonly #ports: MirroredResultsPorts;
  readonly #streamed: StreamedResults;
  readonly #held = new Map<number, { readonly task: TaskId; readonly delivery: Delivery }>();
  #subscription: Subscription | null = null;

  constructor(ports: MirroredResultsPorts) {
    this.#ports = ports;
    this.#streamed = new StreamedResults({
      ...ports,
      isFree: (lease) => ports.listener.isFree(lease),
      onWhole: (result) => this.#hand({ result, payload: null }),
    });
  }

  /** Resolves when what was left there is in, or the broker was not reached. */
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
    this.#held.get(lease)?.delivery.ack();
    this.#held.delete(lease);
  }

  end(task: TaskId): void {
    this.#streamed.end(task);
    for (const [lease, held] of this.#held) if (held.task === task) this.release(lease);
  }

  async stop(): Promise<void> {
    await this.#streamed.stop();
    await this.#subscription?.close();
  }

  #take(delivery: Delivery): void {
    try {
      const { message, payload } = decode(delivery.frames);
      if (message.type !== 'delivered') return delivery.reject();
      this.#arrived(message, payload, delivery);
    } catch (error) {
      this.#ports.logger.warn({ error, key: delivery.key }, 'a result from the broker cannot be read');
      delivery.reject();
    }
  }

  #arrived(result: Fields<'delivered'>, payload: Uint8Array | null, delivery: Delivery): void {
    this.release(result.lease);
    this.#held.set(result.lease, { task: result.task, delivery });
    if (!this.#ports.listener.isRunning(result.task)) this.#ports.listener.over(result);
    else if (result.way === 'stream') this.#streamed.want(result);
    else if (result.way === 'inline' || (result.way === 'store' && this.#isHere(result)))
      this.#hand({ result, payload });
    else this.#overUnlessOpen(result);
  }

  #isHere({ task, lease, bytes }: Fields<'delivered'>): boolean {
    return statSync(this.#ports.incomingPath(task, lease), { throwIfNoEntry: false })?.size === bytes;
  }

  #hand(delivered: Delivered): void {
    this.#ports.listener.delivered(delivered);
    this.#overUnlessOpen(delivered.result);
  }

  #overUnlessOpen(result: Fields<'delivered'>): void {
    if (!this.#ports.listener.isOpen(result.lease)) this.#ports.listener.over(result);
  }
}
