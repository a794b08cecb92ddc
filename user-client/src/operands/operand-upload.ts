import { blockIdOf, isMusterError, type BlockId, type TaskId } from '@muster/shared';
import type { Transport } from '../transport.ts';
import type { SourceBlock } from './block-source.ts';
import { forEachBlock } from './for-each-block.ts';
import { putBlock } from './put-block.ts';

export interface UploadOptions {
  readonly task: TaskId;
  /** Scope of the requests, so that they can be dropped. */
  readonly scope: string;
  /** In the order of sending. */
  readonly blocks: readonly SourceBlock[];
  /** Settles when the head has the task on disk. Blocks are bound before that: the head knows the task once it has read the submission. */
  readonly accepted: Promise<unknown>;
}

/** Uploads the operands of one task. */
export class OperandUpload {
  readonly #transport: Transport;
  readonly #options: UploadOptions;
  /** By position in `blocks`; undefined until known. */
  readonly #ids: (BlockId | undefined)[];

  constructor(transport: Transport, options: UploadOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#ids = options.blocks.map(({ source, number }) => source.known(number));
  }

  /**
   * Resolves when the head has every block and has stored durably which task it belongs to. A head that restarted meanwhile may have
   * forgotten what it answered; then everything is repeated, at the cost of one small message for each block whose id is known by now.
   */
  async run(): Promise<void> {
    const { task, scope, blocks, accepted } = this.#options;
    const { link } = this.#transport;
    let told: number;
    let safeWith = link.headEpoch;
    do {
      told = safeWith;
      await forEachBlock(blocks, (block, place) => this.#deliver(block, place));
      // A restarted head must know the task again before it can be asked about it.
      await accepted;
      const { message } = await link.ask('sync', { task }, { scope });
      safeWith = message.epoch;
    } while (safeWith !== told);
  }

  #deliver(block: SourceBlock, place: number): Promise<void> {
    const id = this.#ids[place];
    return id === undefined ? this.#deliverNew(block, place) : this.#deliverKnown(block, id);
  }

  async #deliverNew(block: SourceBlock, place: number): Promise<void> {
    const transport = this.#transport;
    const packed = await block.source.read(block.number, transport.pool);
    try {
      const id = blockIdOf(packed.bytes);
      this.#ids[place] = id;
      const path = transport.store?.write(id, packed.bytes) ?? '';
      if (path !== '') packed.release();
      if (!(await this.#bind(block, id, path))) return;
      if (path === '')
        await packed.use(() => putBlock(transport, { id, bytes: packed.bytes, scope: this.#options.scope }));
      else await this.#putAgain(block, id);
    } finally {
      packed.release();
    }
  }

  async #deliverKnown(block: SourceBlock, id: BlockId): Promise<void> {
    if (await this.#bind(block, id, this.#transport.store?.find(id) ?? '')) await this.#putAgain(block, id);
  }

  /** The head lacks a block that should be in its store: it was lost, or the head cannot read what this process wrote. */
  async #putAgain({ source, number }: SourceBlock, id: BlockId): Promise<void> {
    const packed = await source.read(number, this.#transport.pool);
    await packed.use(() => putBlock(this.#transport, { id, bytes: packed.bytes, scope: this.#options.scope }));
  }

  /** Binds a block to the task and tells whether the head wants its bytes. Sent right behind the submission, which saves a round trip. */
  async #bind(block: SourceBlock, id: BlockId, path: string): Promise<boolean> {
    try {
      return await this.#askToBind(block, id, path);
    } catch (error) {
      // A refused task is unknown to the head, and `accepted` rejects with the reason. A lost submission has been sent again by now.
      await this.#options.accepted;
      if (!isMusterError(error) || error.code !== 'TASK_UNKNOWN') throw error;
      return this.#askToBind(block, id, path);
    }
  }

  async #askToBind({ source, number }: SourceBlock, id: BlockId, path: string): Promise<boolean> {
    const { task, scope } = this.#options;
    const binding = { task, operand: source.operand, block: number, id, bytes: source.blockBytes(number), path };
    const { message } = await this.#transport.link.ask('bind', binding, { scope });
    return message.wanted;
  }
}
