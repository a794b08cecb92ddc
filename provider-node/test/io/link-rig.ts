/** A provider's link to a broker in memory. The head at the other side is played by the test. */
import {
  blockIdOf,
  decode,
  encode,
  limits,
  silentLogger,
  type BlockId,
  type ProviderId,
  type TaskId,
} from '@muster/shared';
import { BlockStore } from '@muster/shared/io';
import { waitUntil } from '@muster/shared/testkit';
import type { Backbone } from '@muster/rabbitmq';
import { MemoryBroker } from '@muster/rabbitmq/testkit';
import type { HeldWork } from '../../src/core/provider-state.ts';
import { RabbitLink, type BrokeredLease } from '../../src/io/broker-link.ts';

export const TASK = '00000000000000aa' as TaskId;
export const NODE = '00000000000000f1' as ProviderId;
export const CHUNK = limits.chunkBytesMax.value;

const rigs: LinkRig[] = [];

/** For `afterEach`. */
export async function stopRigs(): Promise<void> {
  for (const rig of rigs.splice(0)) await rig.stop();
}

export class LinkRig {
  readonly broker = new MemoryBroker();
  readonly head: Backbone;
  readonly link: RabbitLink;
  readonly blocks: BlockStore;
  /** Copies of leases that came, and of those, what is held. */
  readonly copies: BrokeredLease[] = [];
  readonly held = new Set<number>();
  /** Results that the head has taken, as `lease way`. */
  readonly results: string[] = [];
  readonly #node: Backbone;

  static async start(directory: string): Promise<LinkRig> {
    return new LinkRig(await BlockStore.open({ directory, maxBytes: 2 ** 30 }));
  }

  private constructor(blocks: BlockStore) {
    rigs.push(this);
    this.blocks = blocks;
    this.head = this.broker.open({ role: 'head' });
    this.head.admit(NODE);
    this.head.consume({ from: { to: 'results' }, prefetch: 100 }, (delivery) => {
      const { message } = decode(delivery.frames);
      if (message.type === 'delivered') this.results.push(`${message.lease} ${message.way}`);
      delivery.ack();
    });
    this.#node = this.broker.open({ role: 'provider' });
    this.link = new RabbitLink({ backbone: this.#node, provider: NODE, blocks, logger: silentLogger });
    this.link.listen((brokered) => {
      this.copies.push(brokered);
      return this.held.has(brokered.lease.lease);
    });
  }

  /** The head puts a copy of a lease into the node's queue. */
  async lease(lease: number): Promise<void> {
    const fields = { task: TASK, lease, attempt: 1, taskType: 'echo', ranges: [0, 1], work: null, mirrored: true };
    await this.toNode(`l${lease}`, [encode('lease', fields, { epoch: 3, seq: 0 })]);
    await waitUntil(() => this.copies.some((copy) => copy.lease.lease === lease), { what: `lease ${lease}` });
  }

  async toNode(key: string, frames: readonly Uint8Array[]): Promise<void> {
    this.head.publish({ destination: { to: 'provider', provider: NODE }, key, task: TASK, frames });
    await this.head.settled(TASK);
  }

  /** The head leaves a block with the broker. */
  async operand(bytes: Uint8Array, { id = blockIdOf(bytes), upTo = bytes.length } = {}): Promise<BlockId> {
    for (let offset = 0; offset < upTo; offset += CHUNK) {
      const frames = [
        encode('block', { block: id, offset, total: bytes.length }),
        bytes.subarray(offset, offset + CHUNK),
      ];
      this.head.publish({ destination: { to: 'blocks', task: TASK }, key: `${id}.${offset}`, task: TASK, frames });
    }
    await this.head.settled(TASK);
    return id;
  }

  /** Copies that the node has not acknowledged: they come again when it is killed. Its connection is cut by that. */
  async unacknowledged(): Promise<number> {
    this.broker.down();
    const left = this.broker.count(`p.${NODE}.tasks`);
    this.broker.up();
    await waitUntil(() => this.#node.status().state === 'up', { what: 'the node to be back' });
    return left;
  }

  /** Every connection is lost and made again. */
  cut(): void {
    this.broker.down();
    this.broker.up();
  }

  async stop(): Promise<void> {
    await this.link.close();
    await this.head.close({ withinMs: 0 });
  }
}

/** A lease with its result. */
export const finished = (lease: number, path = ''): HeldWork => ({
  lease,
  task: TASK,
  taskType: path === '' ? 'echo' : 'matrix_mult',
  attempt: 1,
  ranges: [0, 1],
  work: null,
  payload: path === '' ? Buffer.from('echo') : null,
  mirrored: true,
  blocks: [],
  phase: 'returned',
  revoked: false,
  receivedAtMs: 0,
  fetchMs: 0,
  result: { bytes: 4, computeMs: 1, path },
});
