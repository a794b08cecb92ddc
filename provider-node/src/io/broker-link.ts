/**
 * The broker as a provider sees it: a queue with copies of its leases, a queue for its results, and the operands of a task while the head
 * is away. A lease's copy is acknowledged once its result is with the broker, or no longer wanted.
 */
import {
  decode,
  encode,
  epochOf,
  isMusterError,
  limits,
  type BlockId,
  type Fields,
  type Logger,
  type ProviderId,
  type Stamp,
  type TaskId,
} from '@muster/shared';
import type { Backbone, Delivery, Subscription } from '@muster/rabbitmq';
import type { BlockStore } from '@muster/shared/io';
import { readFileSync } from 'node:fs';
import { LeaseCopies } from '../core/lease-copies.ts';
import type { HeldWork } from '../core/provider-state.ts';
import { StreamedBlocks } from './streamed-blocks.ts';

export interface BrokeredLease {
  readonly lease: Fields<'lease'>;
  readonly payload: Uint8Array | null;
  readonly epoch: number;
  readonly again: boolean;
}

/** How the bytes of a result reach the head. */
export type ResultWay = Fields<'delivered'>['way'];

export interface BrokerLink {
  /** `onLease` returns whether the lease is now held. */
  listen(onLease: (brokered: BrokeredLease) => boolean): void;
  deliver(held: HeldWork, way: ResultWay): void;
  /** The lease is over: settled, revoked or failed. */
  release(lease: number): void;
  /** Resolves when the blocks are in the store. Rejects with BLOCK_MISSING when `signal` aborts, at once when there is no broker. */
  fetch(task: TaskId, ids: readonly BlockId[], signal: AbortSignal): Promise<void>;
  readonly isThere: boolean;
  close(): Promise<void>;
}

const nothing = (): void => undefined;

export const noBroker: BrokerLink = {
  listen: nothing,
  deliver: nothing,
  release: nothing,
  fetch: () => Promise.reject(new Error('there is no broker')),
  isThere: false,
  close: () => Promise.resolve(),
};

export interface BrokerLinkPorts {
  readonly backbone: Backbone;
  readonly provider: ProviderId;
  readonly blocks: BlockStore;
  readonly logger: Logger;
}

/** Four times the leases that the head may have open with us: copies are acknowledged late. */
const PREFETCH = 64;
const CLOSE_MS = 2000;

export class RabbitLink implements BrokerLink {
  readonly isThere = true;
  readonly #ports: BrokerLinkPorts;
  readonly #copies = new LeaseCopies();
  /** By lease: keys of the chunks of a result that was published to the stream of its task. */
  readonly #streams = new Map<number, readonly string[]>();
  readonly #blocks: StreamedBlocks;
  #subscription: Subscription | null = null;

  constructor(ports: BrokerLinkPorts) {
    this.#ports = ports;
    this.#blocks = new StreamedBlocks(ports);
  }

  listen(onLease: (brokered: BrokeredLease) => boolean): void {
    const { backbone, provider } = this.#ports;
    const from = { to: 'provider', provider } as const;
    this.#subscription = backbone.consume({ from, prefetch: PREFETCH }, (delivery) => this.#take(delivery, onLease));
  }

  #take(delivery: Delivery, onLease: (brokered: BrokeredLease) => boolean): void {
    try {
      const { message, payload, epoch } = decode(delivery.frames);
      if (message.type !== 'lease') return delivery.reject();
      const held = onLease({ lease: message, payload, epoch, again: delivery.redelivered });
      this.#copies.add(message.lease, delivery, held);
    } catch (error) {
      const why = isMusterError(error) ? error.why : error;
      this.#ports.logger.warn({ why, key: delivery.key }, 'a lease from the broker cannot be read');
      delivery.reject();
    }
  }

  deliver(held: HeldWork, way: ResultWay): void {
    const { lease, task, result } = held;
    if (result === null || this.#copies.hasResult(lease) || this.#streams.has(lease)) return;
    if (way === 'stream') this.#stream({ task, lease, path: result.path }, () => this.#announce(held, way));
    else this.#announce(held, way);
  }

  #announce({ lease, attempt, task, ranges, payload, result, fetchMs }: HeldWork, way: ResultWay): void {
    const { provider, backbone } = this.#ports;
    const { bytes = 0, computeMs = 0 } = result ?? {};
    const fields = { provider, task, lease, attempt, ranges: [...ranges], way, bytes, computeMs, fetchMs };
    const frame = encode('delivered', fields, stampOf(lease));
    const frames = way === 'inline' && payload !== null ? [frame, payload] : [frame];
    backbone.publish({ destination: { to: 'results' }, key: resultKey(lease), task, frames }, (outcome) => {
      if (outcome === 'confirmed') this.#copies.delivered(lease);
    });
  }

  /**
   * Calls `then` once all chunks are confirmed: a result must not be announced before its bytes are with the broker. If one is not
   * confirmed, the next `deliver` publishes all of them again.
   */
  #stream({ task, lease, path }: StreamedFile, then: () => void): void {
    const bytes = readFileSync(path);
    const size = limits.chunkBytesMax.value;
    const keys = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => `${resultKey(lease)}.${at * size}`);
    this.#streams.set(lease, keys);
    let missing = keys.length;
    for (const [at, key] of keys.entries()) {
      const offset = at * size;
      const frames = [
        encode('streamedChunk', { task, lease, offset, total: bytes.length }, stampOf(lease)),
        bytes.subarray(offset, offset + size),
      ];
      this.#ports.backbone.publish({ destination: { to: 'resultChunks', task }, key, task, frames }, (outcome) => {
        if (outcome === 'confirmed') missing -= 1;
        else this.#streams.delete(lease);
        if (missing === 0 && this.#streams.has(lease)) then();
      });
    }
  }

  release(lease: number): void {
    this.#ports.backbone.withdraw([resultKey(lease), ...(this.#streams.get(lease) ?? [])]);
    this.#streams.delete(lease);
    this.#copies.release(lease);
  }

  fetch(task: TaskId, ids: readonly BlockId[], signal: AbortSignal): Promise<void> {
    return this.#blocks.fetch(task, ids, signal);
  }

  async close(): Promise<void> {
    this.#blocks.close();
    await this.#subscription?.close();
    await this.#ports.backbone.close({ withinMs: CLOSE_MS });
  }
}

interface StreamedFile {
  readonly task: TaskId;
  readonly lease: number;
  readonly path: string;
}

/** The epoch of the lease: there may be no head now, and so no current epoch. */
const stampOf = (lease: number): Stamp => ({ epoch: epochOf(lease), seq: 0 });

const resultKey = (lease: number): string => `r${lease}`;
