/** The head's mirror at a broker in memory. What stands behind it is played by the test, and so is the node at the other side. */
import {
  encode,
  limits,
  silentLogger,
  type BlockId,
  type Clock,
  type Fields,
  type Logger,
  type ProviderId,
  type TaskId,
} from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import type { Backbone } from '@muster/rabbitmq';
import { MemoryBroker } from '@muster/rabbitmq/testkit';
import { join } from 'node:path';
import type { HeadEvent } from '../../src/core/events.ts';
import type { SubtasksRecord, TaskRecord } from '../../src/core/journal-record.ts';
import type { BlockMirrorPolicy } from '../../src/io/block-mirror.ts';
import { BrokerMirror, type MirrorListener } from '../../src/io/mirror.ts';
import type { Delivered } from '../../src/io/mirrored-results.ts';

export const TASK = '00000000000000aa' as TaskId;
export const CHUNK = limits.chunkBytesMax.value;
export const NODE = '00000000000000f1' as ProviderId;
export const OTHER = '00000000000000f2' as ProviderId;

export interface MirrorRigOptions {
  readonly broker?: MemoryBroker;
  readonly policy?: Partial<BlockMirrorPolicy>;
  /** Where results on their way in lie. */
  readonly directory?: string;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly maxSilenceMs?: number;
  readonly speaksFor?: (user: string | null, provider: ProviderId) => boolean;
  /** Of an earlier life at the same broker. */
  readonly streams?: Set<TaskId>;
}

interface Streamed {
  readonly lease: number;
  readonly bytes: Uint8Array;
  readonly total: number;
}

const rigs: MirrorRig[] = [];

/** For `afterEach`. */
export async function stopRigs(): Promise<void> {
  for (const rig of rigs.splice(0)) await rig.stop();
}

export class MirrorRig {
  readonly broker: MemoryBroker;
  readonly node: Backbone;
  readonly mirror: BrokerMirror;
  /** Of operands, by id. */
  readonly blocks = new Map<BlockId, Uint8Array>();
  readonly directory: string;
  // What the core behind it knows, and what it has heard.
  readonly running = new Set([TASK]);
  readonly open = new Set<number>();
  readonly checking = new Set<number>();
  readonly delivered: Delivered[] = [];
  readonly news: (HeadEvent & { type: 'backbone' })[] = [];
  readonly #head: Backbone;

  constructor(options: MirrorRigOptions = {}) {
    const { broker = new MemoryBroker(), policy, directory = '', streams = new Set<TaskId>() } = options;
    const { logger = silentLogger, ...head } = options;
    rigs.push(this);
    this.broker = broker;
    this.directory = directory;
    this.#head = broker.open({ role: 'head', ...head });
    this.node = broker.open({ role: 'provider', user: NODE });
    this.mirror = new BrokerMirror({
      backbone: this.#head,
      logger,
      epoch: 1,
      blocks: {
        bytesOf: (id) => this.blocks.get(id)?.length,
        read: (id, offset, length) => this.blocks.get(id)?.subarray(offset, offset + length) ?? new Uint8Array(),
      },
      streams: {
        add: (task) => void streams.add(task),
        remove: (task) => void streams.delete(task),
        tasks: () => [...streams],
      },
      policy: { mode: 'always', budgetBytes: 2 ** 30, ...policy },
      incomingPath: (task, lease) => this.incomingPath(task, lease),
      speaksFor: options.speaksFor ?? (() => true),
    });
  }

  /** With the test as its core, or a real one. */
  start(listener: MirrorListener = this.#listener()): Promise<void> {
    return this.mirror.start(listener);
  }

  #listener(): MirrorListener {
    return {
      post: (event) => void this.news.push(event),
      delivered: (delivered) => void this.delivered.push(delivered),
      isOpen: (lease) => this.open.has(lease),
      isFree: (lease) => !this.checking.has(lease),
      isRunning: (task) => this.running.has(task),
    };
  }

  /** The journal has on disk what became of the lease. */
  settle(lease: number): void {
    this.open.delete(lease);
    this.mirror.settled([lease]);
  }

  incomingPath(task: TaskId, lease: number): string {
    return join(this.directory, `${task}-${lease}`);
  }

  /** Another one, that has no part in the task. */
  stranger(): Backbone {
    return this.broker.open({ role: 'provider', user: OTHER });
  }

  /** The node leaves the result of a lease with the broker. */
  async deliver(lease: number, fields: Partial<Fields<'delivered'>> = {}, payload?: Uint8Array): Promise<void> {
    const result = {
      provider: NODE,
      task: TASK,
      lease,
      attempt: 1,
      ranges: [0, 1],
      computeMs: 1,
      fetchMs: 0,
      bytes: 0,
    };
    const head = encode('delivered', { ...result, way: 'inline', ...fields });
    const frames = payload === undefined ? [head] : [head, payload];
    this.node.publish({ destination: { to: 'results' }, key: `r${lease}`, task: TASK, frames });
    await this.node.settled(TASK);
  }

  /** The node leaves a result, or its chunks before `upTo`, with the broker. */
  stream(lease: number, bytes: Uint8Array, upTo = bytes.length): Promise<void> {
    return this.streamBy(this.node, { lease, bytes: bytes.subarray(0, upTo), total: bytes.length });
  }

  /** The first bytes of a result of so many. */
  async streamBy(node: Backbone, { lease, bytes, total }: Streamed): Promise<void> {
    for (let offset = 0; offset < bytes.length; offset += CHUNK) {
      const head = encode('streamedChunk', { task: TASK, lease, offset, total });
      const frames = [head, bytes.subarray(offset, offset + CHUNK)];
      const key = `r${lease}.${offset}`;
      node.publish({ destination: { to: 'resultChunks', task: TASK }, key, task: TASK, frames });
    }
    await node.settled(TASK);
  }

  /** Deliveries that the head has not acknowledged: they come again when it is killed. Its connection is cut by that. */
  async unacknowledged(): Promise<number> {
    this.broker.down();
    const left = this.broker.count('results');
    this.broker.up();
    await waitUntil(() => this.#head.status().state === 'up', { what: 'the head to be back' });
    return left;
  }

  async stop(): Promise<void> {
    await this.mirror.stop();
    await this.node.close({ withinMs: 0 });
  }
}

export const submitted: TaskRecord = {
  type: 'task',
  task: TASK,
  name: 'echo',
  spec: { count: 1, bytes: 8, batch: 1 },
  nodes: 1,
  waitNodesMs: 1000,
  timeoutMs: 1000,
  durability: 'mirrored',
  acceptedWallMs: 0,
};

/** An accepted lease of one subtask. */
export const accepted = (index: number): SubtasksRecord => ({
  type: 'subtasks',
  task: TASK,
  ranges: [index, index + 1],
  provider: NODE,
  computeMs: 1.5,
  fetchMs: 0,
});
