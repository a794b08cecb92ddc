/** Reads operand blocks from a task's stream: for a node that cannot read the head's files, while the head is unreachable. */
import { decode, MusterError, type BlockId, type Logger, type TaskId } from '@muster/shared';
import type { Backbone, Delivery, Subscription } from '@muster/rabbitmq';
import type { BlockStore } from '@muster/shared/io';

export interface StreamedBlocksPorts {
  readonly backbone: Backbone;
  readonly blocks: BlockStore;
  readonly logger: Logger;
}

interface Waiting {
  readonly missing: Set<BlockId>;
  readonly resolve: () => void;
}

interface TaskStream {
  readonly subscription: Subscription;
  readonly waiting: Set<Waiting>;
}

export class StreamedBlocks {
  readonly #backbone: Backbone;
  readonly #blocks: BlockStore;
  readonly #logger: Logger;
  readonly #streams = new Map<TaskId, TaskStream>();

  constructor({ backbone, blocks, logger }: StreamedBlocksPorts) {
    this.#backbone = backbone;
    this.#blocks = blocks;
    this.#logger = logger;
  }

  /** Reads the stream from its start for as long as any call waits. Rejects with BLOCK_MISSING when `signal` aborts. */
  fetch(task: TaskId, ids: readonly BlockId[], signal: AbortSignal): Promise<void> {
    const missing = new Set(ids.filter((id) => !this.#blocks.has(id)));
    if (missing.size === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stream = this.#streamOf(task);
      const waiting: Waiting = { missing, resolve: () => this.#done(task, waiting, resolve) };
      stream.waiting.add(waiting);
      signal.addEventListener('abort', () => this.#done(task, waiting, () => reject(gone(missing))), { once: true });
    });
  }

  close(): void {
    for (const { subscription } of this.#streams.values()) void subscription.close();
    this.#streams.clear();
  }

  #done(task: TaskId, waiting: Waiting, tell: () => void): void {
    const stream = this.#streams.get(task);
    stream?.waiting.delete(waiting);
    if (stream?.waiting.size === 0) {
      this.#streams.delete(task);
      void stream.subscription.close();
    }
    tell();
  }

  #streamOf(task: TaskId): TaskStream {
    const known = this.#streams.get(task);
    if (known !== undefined) return known;
    const from = { to: 'blocks', task } as const;
    const subscription = this.#backbone.read({ from, offset: 0 }, (delivery) => this.#take(task, delivery));
    const stream: TaskStream = { subscription, waiting: new Set() };
    this.#streams.set(task, stream);
    return stream;
  }

  #take(task: TaskId, delivery: Delivery): void {
    delivery.ack();
    const { message, payload } = decode(delivery.frames);
    if (message.type !== 'block' || payload === null) return;
    const { block: id, offset, total } = message;
    try {
      if (!this.#blocks.has(id) && this.#blocks.receive({ id, offset, total, bytes: payload }) === 'partial') return;
    } catch (error) {
      this.#logger.warn({ error, task, block: id }, 'an operand block from the broker cannot be kept');
      return;
    }
    for (const { missing, resolve } of this.#streams.get(task)?.waiting ?? [])
      if (missing.delete(id) && missing.size === 0) resolve();
  }
}

const gone = (missing: ReadonlySet<BlockId>): MusterError =>
  new MusterError('BLOCK_MISSING', 'an operand block did not come', { why: `${missing.size} blocks are missing` });
