/** What the head does with a broker. Mirrors head-node/src/io/{mirror,mirrored-results,record-batch}.ts; without a broker it does nothing. */
import type { ProviderId, TaskId } from '@muster/shared';
import { ResultCopies, type JournalRecord, type LeaseOrder } from '@muster/head-node/core';
import type { HeadLife } from '../head/head-life.ts';
import type { World } from '../world.ts';
import { BrokerClient, type Delivery, type OnSettled } from './broker-client.ts';
import { BLOCKS, EVENTS, type Broker, type RecordedMessage } from './broker.ts';

/** A result that arrives by the broker. */
export interface DeliveredMessage {
  readonly provider: ProviderId;
  readonly task: TaskId;
  readonly lease: number;
  readonly attempt: number;
  readonly ranges: readonly number[];
  /** Where its bytes are: in the head's store, sent over the session, in the task's stream, or in this message. */
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
const LINGER_MS = 10;

export class HeadMirror {
  readonly #world: World;
  readonly #life: HeadLife;
  readonly #broker: Broker | null;
  readonly #client: BrokerClient | null;
  readonly #copies: ResultCopies;
  /** Callbacks of `recorded`, called at the latest when the broker is no longer up. */
  readonly #awaited: (() => void)[] = [];
  /** By task: records of the last LINGER_MS, to be sent as one message. */
  readonly #records = new Map<TaskId, JournalRecord[]>();
  #lingering = false;
  #congested = false;
  #batches = 0;

  constructor(world: World, broker: Broker | null, life: HeadLife) {
    this.#world = world;
    this.#life = life;
    this.#broker = broker;
    this.#client = broker === null ? null : new BrokerClient(world, broker, life.process);
    this.#copies = new ResultCopies(life);
  }

  get isOff(): boolean {
    return this.#client === null;
  }

  /** First takes in what providers left with the broker. Calls `then` when that is done, or after RECOVER_MS. */
  start(then: () => void): void {
    const client = this.#client;
    if (client === null) return then();
    client.onState = () => this.#changed();
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

  /** Calls `send` when the broker has a strict lease (at once for others), `fail` when it was not routed. */
  leaseFirst(order: LeaseOrder, { send, fail }: { readonly send: () => void; readonly fail: () => void }): void {
    if (this.#client === null || order.durability !== 'strict') send();
    else {
      this.#publishLease(order, (outcome) => (outcome === 'confirmed' ? send() : fail()));
      this.#tempt();
    }
  }

  /**
   * Takes the broker away while a strict lease waits for it, which `strict` must survive; about every other time for longer than its
   * deadline.
   */
  #tempt(): void {
    const { faults, timeline } = this.#world;
    if (this.#broker === null || !faults.strikes('broker-point')) return;
    const { draw } = this.#broker;
    timeline.after(draw.between(100, 60_000), this.#broker.trouble(draw.pick(['down', 'blocked'])));
  }

  copyLease(order: LeaseOrder): void {
    if (order.durability === 'mirrored') this.#publishLease(order);
  }

  #publishLease(order: LeaseOrder, onSettled?: OnSettled): void {
    const { task, lease, provider } = order;
    const body: BrokeredOrder = { order, epoch: this.#life.epoch };
    this.#client?.publish({ to: providerQueue(provider), key: leaseKey(lease), task, body }, onSettled);
  }

  record(record: JournalRecord): void {
    const waiting = this.#records.get(record.task);
    if (waiting === undefined) this.#records.set(record.task, [record]);
    else waiting.push(record);
    if (this.#lingering) return;
    this.#lingering = true;
    this.#life.process.after(LINGER_MS, () => this.#flush());
  }

  #flush(): void {
    this.#lingering = false;
    for (const [task, records] of this.#records) {
      const body: RecordedMessage = { epoch: this.#life.epoch, records };
      this.#client?.publish({ to: EVENTS, key: `e${(this.#batches += 1)}`, task, body });
    }
    this.#records.clear();
  }

  /** Opens the task's stream, from which nodes that are cut off read operands and in which they leave results. */
  open(task: TaskId): void {
    if (this.#client !== null) this.#broker?.openTask(task);
  }

  /** For `always`: an offered block is in the task's stream a moment later. */
  block(task: TaskId, block: string): void {
    this.open(task);
    this.#client?.publish({ to: BLOCKS, key: `${task}.${block}`, task, body: null });
  }

  settled(leases: readonly number[]): void {
    this.#client?.withdraw(leases.map(leaseKey));
    for (const lease of leases) this.#copies.release(lease);
  }

  ended(task: TaskId): void {
    this.#world.witness.letsGo(task);
    this.#copies.end(task);
    this.#broker?.closeTask(task);
    this.#client?.forget(task);
  }

  /** Calls `then` when the broker has all of the task so far, or is not there to take it. */
  recorded(task: TaskId, then: () => void): void {
    const client = this.#client;
    this.#flush();
    if (client?.state !== 'up') return then();
    let open = true;
    const once = (): void => {
      if (open) then();
      open = false;
    };
    this.#awaited.push(once);
    client.settled(task, once);
  }

  /** Calls `then` with the number of messages that are lost for good. */
  complete(task: TaskId, then: (lost: number) => void): void {
    this.#flush();
    this.#client?.settled(task, () => then(this.#client?.lost(task) ?? 0));
  }

  unconfirmed(task: TaskId): number {
    return (this.#records.get(task)?.length ?? 0) + (this.#client?.unconfirmed(task) ?? 0);
  }

  /** Nothing is on its way to the broker. */
  get isQuiet(): boolean {
    return this.#records.size === 0 && this.#client?.isEmpty !== false;
  }

  #arrived(delivery: Delivery): void {
    const message = delivery.body as DeliveredMessage;
    const { task, lease } = message;
    const ack = (): void => {
      if (!this.#copies.has(lease)) this.#world.witness.acknowledges(message);
      delivery.ack();
    };
    if (!this.#copies.hold({ task, lease, ack })) return;
    if (message.way === 'stream' && !this.#bring(message)) return;
    if (message.way !== 'wire' && this.#isHere(message)) this.#life.delivered(message);
    this.#copies.looked(lease);
  }

  /**
   * Reads the result's bytes from the task's stream. False if they are not there, the disk is full, or the result is being checked
   * already.
   */
  #bring({ task, lease, bytes, correct }: DeliveredMessage): boolean {
    if (this.#broker?.hasBlocks(task, [streamedKey(task, lease)]) !== true || !this.#life.journal.hasRoom) return false;
    if (this.#life.state.leases.get(lease)?.phase === 'checking') return false;
    this.#life.files.receive(task, lease, { bytes, correct });
    return true;
  }

  #isHere({ task, lease, way, bytes }: DeliveredMessage): boolean {
    return way === 'inline' || this.#life.files.incoming(task, lease)?.bytes === bytes;
  }
}

const leaseKey = (lease: number): string => `l${lease}`;

export const streamedKey = (task: TaskId, lease: number): string => `${task}.r${lease}`;
