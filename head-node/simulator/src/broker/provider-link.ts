/** The broker as a provider sees it. Mirrors provider-node/src/io/broker-link.ts; without a broker it does nothing. */
import type { TaskId } from '@muster/shared';
import { LeaseCopies, type HeldWork } from '@muster/provider-node/core';
import type { ProviderTraits } from '../scenario.ts';
import type { SimProcess } from '../sim-process.ts';
import type { World } from '../world.ts';
import { BrokerClient, type Delivery } from './broker-client.ts';
import type { Broker } from './broker.ts';
import { BLOCKS } from './broker.ts';
import { providerQueue, RESULTS, streamedKey, type BrokeredOrder, type DeliveredMessage } from './head-mirror.ts';

const PREFETCH = 64;

export interface ProviderLinkPorts {
  readonly world: World;
  readonly broker: Broker | null;
  readonly process: SimProcess;
  readonly traits: ProviderTraits;
}

export interface Sent {
  readonly way: DeliveredMessage['way'];
  readonly correct: boolean;
}

export interface BrokeredLease extends BrokeredOrder {
  readonly again: boolean;
}

export class ProviderLink {
  readonly #traits: ProviderTraits;
  readonly #client: BrokerClient | null;
  readonly #broker: Broker | null;
  readonly #copies = new LeaseCopies();
  /** Results whose bytes went to their task's stream. */
  readonly #streams = new Set<number>();

  constructor({ world, broker, process, traits }: ProviderLinkPorts) {
    this.#traits = traits;
    this.#broker = broker;
    this.#client = broker === null ? null : new BrokerClient(world, broker, process);
  }

  get isThere(): boolean {
    return this.#client !== null;
  }

  /** `onLease` returns whether the lease is now held. */
  listen(onLease: (brokered: BrokeredLease) => boolean): void {
    this.#client?.consume(providerQueue(this.#traits.id), PREFETCH, (delivery) => this.#take(delivery, onLease));
  }

  #take(delivery: Delivery, onLease: (brokered: BrokeredLease) => boolean): void {
    const { order, epoch } = delivery.body as BrokeredOrder;
    const held = onLease({ order, epoch, again: delivery.again });
    this.#copies.add(order.lease, delivery, held);
  }

  deliver(held: HeldWork, sent: Sent): void {
    const { lease, task, result } = held;
    if (result === null || this.#copies.hasResult(lease) || this.#streams.has(lease)) return;
    if (sent.way !== 'stream') return this.#announce(held, sent);
    this.#streams.add(lease);
    this.#client?.publish({ to: BLOCKS, key: streamedKey(task, lease), task, body: null }, (outcome) => {
      if (outcome === 'confirmed' && this.#streams.has(lease)) this.#announce(held, sent);
    });
  }

  #announce({ lease, attempt, task, ranges, result, fetchMs }: HeldWork, { way, correct }: Sent): void {
    const { bytes = 0, computeMs = 0 } = result ?? {};
    const body: DeliveredMessage = {
      provider: this.#traits.id,
      task,
      lease,
      attempt,
      ranges,
      way,
      bytes,
      computeMs,
      fetchMs,
      correct,
    };
    this.#client?.publish({ to: RESULTS, key: resultKey(lease), task, body }, (outcome) => {
      if (outcome === 'confirmed') this.#copies.delivered(lease);
    });
  }

  /** The lease is over: settled, revoked or failed. */
  release({ task, lease }: HeldWork): void {
    this.#client?.withdraw([resultKey(lease), streamedKey(task, lease)]);
    this.#streams.delete(lease);
    this.#copies.release(lease);
  }

  /** Whether all these blocks are in the task's stream. */
  has(task: TaskId, blocks: readonly string[]): boolean {
    const keys = blocks.map((block) => `${task}.${block}`);
    return this.#client?.isUp === true && this.#broker?.hasBlocks(task, keys) === true;
  }

  end(): void {
    this.#client?.end();
  }
}

const resultKey = (lease: number): string => `r${lease}`;
