/** What the head does with a broker. Mirrors head-node/src/io/{mirror,mirrored-results}.ts; without a broker it does nothing. */
import type { ProviderId, TaskId } from '@muster/shared';
import type { JournalRecord, LeaseOrder } from '@muster/head-node/core';
import type { HeadLife } from '../head/head-life.ts';
import type { World } from '../world.ts';
import { BrokerClient, type Delivery } from './broker-client.ts';
import type { Broker } from './broker.ts';

/** A result that comes by the broker. */
export interface DeliveredMessage {
  readonly provider: ProviderId;
  readonly task: TaskId;
  readonly lease: number;
  readonly attempt: number;
  readonly ranges: readonly number[];
  /** Where its bytes are: in the head's store, on their way by the session, in the task's stream, or in it. */
  readonly way: 'store' | 'wire' | 'stream' | 'inline';
  readonly bytes: number;
  readonly computeMs: number;
  readonly fetchMs: number;
  readonly correct: boolean;
}

/** A copy of a lease. */
export interface BrokeredOrder {
  readonly order: LeaseOrder;
  readonly epoch: number;
}

export const providerQueue = (provider: ProviderId): string => `p.${provider}`;
export const RESULTS = 'results';

const CONGESTED_MS = 500;
const LOOK_MS = 50;
const RECOVER_MS = 5000;
const PREFETCH = 2000;

export class HeadMirror {
  readonly #life: HeadLife;
  readonly #broker: Broker | null;
  readonly #client: BrokerClient | null;
  readonly #held = new Map<number, { readonly task: TaskId; readonly delivery: Delivery }>();
  /** What waits for the broker only as long as it is there. */
  readonly #awaited: (() => void)[] = [];
  #congested = false;
  #records = 0;

  constructor(world: World, broker: Broker | null, life: HeadLife) {
    this.#life = life;
    this.#broker = broker;
    this.#client = broker === null ? null : new BrokerClient(world, broker, life.process);
  }

  /** What providers left with the broker comes first; `then` when it is in, or the broker was not reached. */
  start(then: () => void): void {
    const client = this.#client;
    if (client === null) return then();
    client.onState = () => this.#changed();
    this.#changed();
    this.#life.process.every(LOOK_MS, () => this.#look());
    client.consume(RESULTS, PREFETCH, (delivery) => this.#arrived(delivery));
    this.#drained(this.#life.nowMs + RECOVER_MS, then);
  }

  end(): void {
    this.#client?.end();
  }

  #drained(untilMs: number, then: () => void): void {
    const empty = this.#client?.isUp === true && this.#broker?.waiting(RESULTS) === 0;
    if (empty || this.#life.nowMs >= untilMs) then();
    else this.#life.process.after(LOOK_MS, () => this.#drained(untilMs, then));
  }

  #changed(): void {
    const state = this.#client?.state ?? 'down';
    this.#life.post({ type: 'backbone', state, congested: this.#congested });
    if (state === 'up') return;
    for (const proceed of this.#awaited.splice(0)) proceed();
  }

  #look(): void {
    const congested = (this.#client?.lagMs ?? 0) > CONGESTED_MS;
    if (congested === this.#congested) return;
    this.#congested = congested;
    this.#changed();
  }

  /** `send` is called when the broker has it. */
  leaseFirst(order: LeaseOrder, send: () => void): void {
    if (this.#client === null || order.durability !== 'strict') send();
    else this.#publishLease(order, send);
  }

  copyLease(order: LeaseOrder): void {
    if (order.durability === 'mirrored') this.#publishLease(order);
  }

  #publishLease(order: LeaseOrder, confirmed?: () => void): void {
    const { task, lease, provider } = order;
    const body: BrokeredOrder = { order, epoch: this.#life.epoch };
    this.#client?.publish({ queue: providerQueue(provider), key: leaseKey(lease), task, body }, confirmed);
  }

  record({ task }: JournalRecord): void {
    this.#client?.publish({ queue: 'events', key: `e${(this.#records += 1)}`, task, body: null });
  }

  /** `always`: offered blocks are in the task's stream a moment later. */
  block(task: TaskId, block: string): void {
    const key = `${task}.${block}`;
    this.#client?.publish({ queue: 'blocks', key, task, body: null }, () => this.#broker?.blocks.add(key));
  }

  settled(leases: readonly number[]): void {
    this.#client?.withdraw(leases.map(leaseKey));
    for (const lease of leases) this.#release(lease);
  }

  ended(task: TaskId): void {
    for (const [lease, held] of this.#held) if (held.task === task) this.#release(lease);
  }

  /** Calls when the broker has all of a task so far, or is not there to take it. */
  accepted(task: TaskId, then: () => void): void {
    const client = this.#client;
    if (client?.state !== 'up') return then();
    let open = true;
    const once = (): void => {
      if (open) then();
      open = false;
    };
    this.#awaited.push(once);
    client.settled(task, once);
  }

  complete(task: TaskId, then: () => void): void {
    this.#client?.settled(task, then);
  }

  unconfirmed(task: TaskId): number {
    return this.#client?.unconfirmed(task) ?? 0;
  }

  /** A delivery is acknowledged when its lease is settled, which the journal has on disk, or void. */
  #arrived(delivery: Delivery): void {
    const message = delivery.body as DeliveredMessage;
    const { task, lease, way, bytes, correct } = message;
    this.#release(lease);
    this.#held.set(lease, { task, delivery });
    if (way === 'stream') this.#life.files.receive(task, lease, { bytes, correct });
    const here = this.#life.files.incoming(task, lease)?.bytes === bytes;
    if (way === 'inline' || way === 'stream' || (way === 'store' && here)) this.#life.delivered(message);
    if (!this.#life.state.leases.has(lease)) this.#release(lease);
  }

  #release(lease: number): void {
    this.#held.get(lease)?.delivery.ack();
    this.#held.delete(lease);
  }
}

const leaseKey = (lease: number): string => `l${lease}`;
