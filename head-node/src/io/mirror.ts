/** What the head does with a broker; `noMirror` stands in where there is none. */
import {
  encode,
  MusterError,
  noBackbone,
  within,
  type BackboneReport,
  type BlockId,
  type Logger,
  type ProviderId,
  type TaskId,
} from '@muster/shared';
import type { PublicationOutcome } from '@muster/rabbitmq';
import type { JournalRecord } from '../core/journal-record.ts';
import type { LeaseOrder } from '../core/effects.ts';
import type { HeadEvent } from '../core/events.ts';
import type { StreamedHistory } from '../core/streamed-records.ts';
import { eventHistoryOf, type Period } from './event-history.ts';
import { leaseFields } from './lease-message.ts';
import { BlockMirror, type BlockMirrorPorts } from './block-mirror.ts';
import { MirroredResults, type Delivered } from './mirrored-results.ts';
import { RecordBatch } from './record-batch.ts';

export interface Mirror {
  /**
   * Reads the results that providers left with the broker, before any lease is given out. Resolves when they are in, or the broker was not
   * reached in time.
   */
  start(listener: MirrorListener): Promise<void>;
  /** Declares the provider's queues. */
  admit(provider: ProviderId): void;
  /** Deletes the provider's queue: it was away for so long that all its work is with others. */
  dismiss(provider: ProviderId): void;
  /** Publishes a copy of a lease that was sent directly to the provider; for mirrored tasks only. */
  copyLease(order: LeaseOrder, frames: readonly Uint8Array[]): void;
  /**
   * For a strict task, publishes the lease and calls `send` when the broker has confirmed it, or `fail` when it did not take it. For other
   * tasks calls `send` at once.
   */
  leaseFirst(order: LeaseOrder, epoch: number, ends: LeaseEnds): void;
  record(record: JournalRecord): void;
  block(task: TaskId, block: BlockId): void;
  /** A node of the task is cut off: publishes the operand blocks that were held back. */
  cut(task: TaskId): void;
  /** The leases' results are in the journal, or not wanted: the broker's copies of leases and results may go. */
  settled(leases: readonly number[]): void;
  /** The task's end is in the journal: its streams are deleted, and copies of its results acknowledged. */
  ended(task: TaskId): void;
  /** Resolves when the broker has the task's records so far, or is not up. */
  recorded(task: TaskId): Promise<void>;
  /** Resolves when no message of the task waits for the broker any more, to the number of those that were lost. */
  complete(task: TaskId): Promise<number>;
  /**
   * The task's records in the event stream. Null when the stream does not go back to the task's beginning. Rejects with BACKBONE_DOWN where
   * there is no broker, or it does not answer.
   */
  events(period: Period): Promise<StreamedHistory | null>;
  report(): BackboneReport;
  stop(): Promise<void>;
}

/** What becomes of a lease that goes to the broker first. */
export interface LeaseEnds {
  readonly send: () => void;
  readonly fail: () => void;
}

const nothing = (): void => undefined;

export const noMirror: Mirror = {
  start: () => Promise.resolve(),
  admit: nothing,
  dismiss: nothing,
  copyLease: nothing,
  leaseFirst: (_order, _epoch, { send }) => send(),
  record: nothing,
  block: nothing,
  cut: nothing,
  settled: nothing,
  ended: nothing,
  recorded: () => Promise.resolve(),
  complete: () => Promise.resolve(0),
  events: () => Promise.reject(new MusterError('BACKBONE_DOWN', 'the head runs without a broker')),
  report: () => noBackbone,
  stop: () => Promise.resolve(),
};

export interface MirrorPorts extends BlockMirrorPorts {
  readonly logger: Logger;
  readonly epoch: number;
  /** Path of the file that receives the result of a lease. */
  readonly incomingPath: (task: TaskId, lease: number) => string;
  /** May this user of the broker publish for the provider? Null: the message has no user-id. */
  readonly speaksFor: (user: string | null, provider: ProviderId) => boolean;
}

/** What a mirror tells the driver, and asks it. */
export interface MirrorListener {
  post(event: HeadEvent & { type: 'backbone' }): void;
  delivered(delivered: Delivered): void;
  /** Is the lease open, or its outcome not on disk yet? */
  isOpen(lease: number): boolean;
  /** No result of the lease is being checked. */
  isFree(lease: number): boolean;
  /** May results of the task still count, or could a crash still undo its end? */
  isRunning(task: TaskId): boolean;
}

/** The broker is too slow when its oldest unconfirmed message is older than this. */
const CONGESTED_MS = 500;
const LOOK_MS = 50;
/** How long a start waits for the broker: results that were left there need not be computed again. */
const RECOVER_MS = 5000;
const CLOSE_MS = 2000;
/** How long reading the event stream waits for records under way; a running task always has some. */
const SETTLE_MS = 2000;

export class BrokerMirror implements Mirror {
  readonly #ports: MirrorPorts;
  readonly #records: RecordBatch;
  readonly #blocks: BlockMirror;
  /** Leases of strict tasks that the broker has not confirmed yet. */
  readonly #unsent = new Map<number, { readonly provider: ProviderId; readonly fail: () => void }>();
  #results: MirroredResults | null = null;
  #timer: NodeJS.Timeout | undefined;
  #congested = false;
  #stopListening = nothing;

  constructor(ports: MirrorPorts) {
    this.#ports = ports;
    const { backbone, epoch, logger } = ports;
    this.#records = new RecordBatch(({ task, bytes, key }, onSettled) => {
      const frames = [encode('recorded', { task }, { epoch, seq: 0 }), bytes];
      backbone.publish({ destination: { to: 'events' }, key, task, frames }, onSettled);
    }, logger);
    this.#blocks = new BlockMirror(ports);
  }

  async start(listener: MirrorListener): Promise<void> {
    const { backbone, incomingPath, speaksFor, logger } = this.#ports;
    const tell = (): void => {
      const { state } = backbone.status();
      listener.post({ type: 'backbone', state, congested: this.#congested });
    };
    this.#stopListening = backbone.onState(tell);
    this.#timer = setInterval(() => this.#look(tell), LOOK_MS);
    this.#blocks.resume((task) => listener.isRunning(task));
    this.#results = new MirroredResults({ backbone, incomingPath, speaksFor, logger, listener });
    await this.#results.start(RECOVER_MS);
  }

  #look(tell: () => void): void {
    this.#failMute();
    const congested = this.#ports.backbone.status().lagMs > CONGESTED_MS;
    if (congested === this.#congested) return;
    this.#congested = congested;
    tell();
  }

  admit(provider: ProviderId): void {
    this.#ports.backbone.admit(provider);
  }

  dismiss(provider: ProviderId): void {
    this.#ports.backbone.dismiss(provider);
  }

  copyLease(order: LeaseOrder, frames: readonly Uint8Array[]): void {
    if (order.durability === 'mirrored') this.#publishLease(order, frames);
  }

  leaseFirst(order: LeaseOrder, epoch: number, { send, fail }: LeaseEnds): void {
    if (order.durability !== 'strict') return send();
    const { lease, payload } = order;
    const frame = encode('lease', leaseFields(order), { epoch, seq: 0 });
    const frames = payload === null ? [frame] : [frame, payload];
    this.#unsent.set(lease, { provider: order.provider, fail });
    this.#publishLease(order, frames, (outcome) => {
      this.#unsent.delete(lease);
      if (outcome === 'confirmed') send();
      else fail();
    });
  }

  /** Fails the unconfirmed leases of mute queues, which may never confirm them: other nodes have queues that work. */
  #failMute(): void {
    for (const [lease, { provider, fail }] of this.#unsent) {
      if (!this.#ports.backbone.isMute({ to: 'provider', provider })) continue;
      this.settled([lease]);
      fail();
    }
  }

  #publishLease(
    { provider, task, lease }: LeaseOrder,
    frames: readonly Uint8Array[],
    onSettled?: (outcome: PublicationOutcome) => void,
  ): void {
    this.#ports.backbone.publish(
      { destination: { to: 'provider', provider }, key: leaseKey(lease), task, frames },
      onSettled,
    );
  }

  record(record: JournalRecord): void {
    this.#records.add(record);
  }

  block(task: TaskId, block: BlockId): void {
    this.#blocks.offer(task, block);
  }

  cut(task: TaskId): void {
    this.#blocks.release(task);
  }

  settled(leases: readonly number[]): void {
    this.#ports.backbone.withdraw(leases.map(leaseKey));
    for (const lease of leases) {
      this.#unsent.delete(lease);
      this.#results?.release(lease);
    }
  }

  ended(task: TaskId): void {
    this.#results?.end(task);
    this.#blocks.end(task);
    this.#records.forget(task);
    this.#ports.backbone.forget(task);
  }

  async recorded(task: TaskId): Promise<void> {
    const written = this.#records.written(task);
    if (this.#ports.backbone.status().state !== 'up') return;
    let stop = nothing;
    const away = new Promise<void>((resolve) => {
      stop = this.#ports.backbone.onState(({ state }) => state !== 'up' && resolve());
    });
    await Promise.race([written, away]);
    stop();
  }

  async complete(task: TaskId): Promise<number> {
    this.#records.flush();
    this.#blocks.settle(task);
    await this.#ports.backbone.settled(task);
    return this.#ports.backbone.lost(task) + this.#records.lost(task);
  }

  async events(period: Period): Promise<StreamedHistory | null> {
    const { state, reason } = this.#ports.backbone.status();
    if (state !== 'up' && state !== 'blocked')
      throw new MusterError('BACKBONE_DOWN', 'the broker does not answer', { why: reason });
    await within(this.recorded(period.task), SETTLE_MS, () => new Error('late')).catch(nothing);
    return eventHistoryOf(period, this.#ports);
  }

  report(): BackboneReport {
    return this.#ports.backbone.status();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopListening();
    this.#records.flush();
    await this.#results?.stop();
    await this.#ports.backbone.close({ withinMs: CLOSE_MS });
  }
}

const leaseKey = (lease: number): string => `l${lease}`;
