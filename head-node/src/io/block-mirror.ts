/** Operand blocks in the broker: for nodes that cannot read the head's store, while they cannot reach the head. */
import { encode, limits, type BlockId, type TaskId } from '@muster/shared';
import type { Backbone } from '@muster/rabbitmq';

/** onDisconnect: only once the connection to a node has broken; no help where the head itself fails. */
export const blockMirrorModes = ['always', 'onDisconnect', 'never'] as const;
export type BlockMirrorMode = (typeof blockMirrorModes)[number];

export interface BlockMirrorPolicy {
  readonly mode: BlockMirrorMode;
  /** Limit for each task and epoch; blocks beyond it are not published. */
  readonly budgetBytes: number;
}

export interface BlockMirrorPorts {
  readonly backbone: Backbone;
  readonly blocks: {
    bytesOf(id: BlockId): number | undefined;
    read(id: BlockId, offset: number, length: number): Uint8Array;
  };
  readonly policy: BlockMirrorPolicy;
  /** Tasks whose streams were opened in this or an earlier epoch, and which the broker has not deleted yet. */
  readonly streams: { add(task: TaskId): void; remove(task: TaskId): void; tasks(): readonly TaskId[] };
}

export interface TaskBlocks {
  spentBytes: number;
  /** Held back until `release`. */
  readonly kept: BlockId[];
  readonly queue: BlockId[];
  /** Keys of the chunks that were published, and how many of them the broker has not confirmed. */
  readonly keys: string[];
  unconfirmed: number;
}

/** Limit of unconfirmed chunks of a task: enough for full bandwidth, few enough for a broker that is away. */
const WINDOW = 16;

export class BlockMirror {
  readonly #ports: BlockMirrorPorts;
  readonly #tasks = new Map<TaskId, TaskBlocks>();

  constructor(ports: BlockMirrorPorts) {
    this.#ports = ports;
  }

  /** Declares the streams of running tasks again, as nodes may have left results in them, and deletes those of all others. */
  resume(isRunning: (task: TaskId) => boolean): void {
    for (const task of this.#ports.streams.tasks())
      if (isRunning(task)) this.open(task);
      else this.#close(task);
  }

  offer(task: TaskId, block: BlockId): void {
    const { mode } = this.#ports.policy;
    const blocks = this.open(task);
    if (mode === 'never') return;
    (mode === 'always' ? blocks.queue : blocks.kept).push(block);
    this.#publishNext(task, blocks);
  }

  /** Declares the task's streams, unless that was done: nodes that are cut off leave results in the second. */
  open(task: TaskId): TaskBlocks {
    const known = this.#tasks.get(task);
    if (known !== undefined) return known;
    const fresh: TaskBlocks = { spentBytes: 0, kept: [], queue: [], keys: [], unconfirmed: 0 };
    this.#tasks.set(task, fresh);
    this.#ports.streams.add(task);
    this.#ports.backbone.openTask(task);
    return fresh;
  }

  release(task: TaskId): void {
    const blocks = this.#tasks.get(task);
    if (blocks === undefined) return;
    blocks.queue.push(...blocks.kept.splice(0));
    this.#publishNext(task, blocks);
  }

  /** Operands are not needed any more; the streams stay, as there may still be results in the second. */
  settle(task: TaskId): void {
    const blocks = this.#tasks.get(task);
    if (blocks === undefined) return;
    for (const waiting of [blocks.queue, blocks.kept]) waiting.length = 0;
    this.#ports.backbone.withdraw(blocks.keys.splice(0));
  }

  end(task: TaskId): void {
    this.settle(task);
    if (this.#tasks.delete(task)) this.#close(task);
  }

  #close(task: TaskId): void {
    const { backbone, streams } = this.#ports;
    backbone.closeTask(task, () => streams.remove(task));
  }

  /** Reads a block only when it is published: in `queue` blocks are ids and take no memory. */
  #publishNext(task: TaskId, blocks: TaskBlocks): void {
    while (blocks.unconfirmed < WINDOW) {
      const block = blocks.queue.shift();
      if (block === undefined) return;
      const bytes = this.#ports.blocks.bytesOf(block) ?? 0;
      if (blocks.spentBytes + bytes > this.#ports.policy.budgetBytes) continue;
      blocks.spentBytes += bytes;
      this.#publish(task, block, blocks);
    }
  }

  #publish(task: TaskId, block: BlockId, blocks: TaskBlocks): void {
    const { backbone, blocks: source } = this.#ports;
    const total = source.bytesOf(block) ?? 0;
    for (let offset = 0; offset < total; offset += limits.chunkBytesMax.value) {
      const bytes = source.read(block, offset, Math.min(limits.chunkBytesMax.value, total - offset));
      const key = `b${task}.${block}.${offset}`;
      const frames = [encode('block', { block, offset, total }), bytes];
      blocks.keys.push(key);
      blocks.unconfirmed += 1;
      backbone.publish({ destination: { to: 'blocks', task }, key, task, frames }, () => {
        blocks.unconfirmed -= 1;
        this.#publishNext(task, blocks);
      });
    }
  }
}
