import { blockIdOf, isMusterError, type BlockId, type TaskId } from '@muster/shared';
import type { Transport } from '../transport.ts';
import type { SourceBlock } from './block-source.ts';
import { forEachBlock } from './for-each-block.ts';
import { putBlock } from './put-block.ts';

export interface UploadOptions {
  readonly task: TaskId;
  /** Of the questions, so that they can be dropped. */
  readonly scope: string;
  /** In the order in which they are sent. */
  readonly blocks: readonly SourceBlock[];
  /** The head has the task on its disk. Blocks are named to it before: it knows the task from the moment when it reads the submission. */
  readonly accepted: Promise<unknown>;
}

/** The operands of one task on their way to the head. */
export class OperandUpload {
  readonly #transport: Transport;
  readonly #options: UploadOptions;
  /** By place in the order of sending, as far as known. */
  readonly #ids: (BlockId | undefined)[];

  constructor(transport: Transport, options: UploadOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#ids = options.blocks.map(({ source, number }) => source.known(number));
  }

  /**
   * Resolves when the head has every block, and on its disk to which task it belongs. A head that was restarted meanwhile may have
   * forgotten what it had answered: then everything is said again, where blocks that are known by now cost one small message each.
   */
  async run(): Promise<void> {
    const { task, scope, blocks } = this.#options;
    const { link } = this.#transport;
    let told: number;
    let safeWith = link.headEpoch;
    do {
      told = safeWith;
      await forEachBlock(blocks, (block, place) => this.#deliver(block, place));
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

  /** The head wants a block that it was told to have: it lost it, or cannot read what this process wrote. */
  async #putAgain({ source, number }: SourceBlock, id: BlockId): Promise<void> {
    const packed = await source.read(number, this.#transport.pool);
    await packed.use(() => putBlock(this.#transport, { id, bytes: packed.bytes, scope: this.#options.scope }));
  }

  /** Are the bytes wanted? Asked at once behind the submission, which saves its round trip. */
  async #bind(block: SourceBlock, id: BlockId, path: string): Promise<boolean> {
    try {
      return await this.#askToBind(block, id, path);
    } catch (error) {
      // A task that was refused is unknown to the head: then the refusal is the reason. A submission that was lost comes again.
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
