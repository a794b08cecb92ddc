import { blockIdOf, isMusterError, MusterError, type BlockId, type TaskId } from '@muster/shared';
import type { Transport } from '../transport.ts';
import { cutsOf, sendOrder, type BlockCut } from './block-cut.ts';
import { forEachBlock } from './for-each-block.ts';
import { isMatrixRef, type MatrixRef, type Role } from './matrix-ref.ts';
import type { MatrixSource } from './matrix-source.ts';
import { packBlock } from './packed-block.ts';
import { putBlock } from './put-block.ts';

export type Operand = MatrixSource | MatrixRef;

export interface UploadOptions {
  readonly task: TaskId;
  /** Of the questions, so that they can be dropped. */
  readonly scope: string;
  readonly operands: Readonly<Record<Role, Operand>>;
  /** The head has the task on its disk. Blocks are named to it before: it knows the task from the moment when it reads the submission. */
  readonly accepted: Promise<unknown>;
}

/** The operands of one task on their way to the head. */
export class OperandUpload {
  private readonly transport: Transport;
  private readonly options: UploadOptions;
  private readonly cuts: readonly BlockCut[];
  /** By block number, as far as known. */
  private readonly ids: Readonly<Record<Role, (BlockId | undefined)[]>>;

  constructor(transport: Transport, options: UploadOptions) {
    const { a, b } = options.operands;
    this.transport = transport;
    this.options = options;
    // What is there already first: it costs a message, and tiles that need only one more block can start.
    const [known, fresh] = isMatrixRef(b) ? [cutsOf('b', b), cutsOf('a', a)] : [cutsOf('a', a), cutsOf('b', b)];
    this.cuts = isMatrixRef(a) || isMatrixRef(b) ? [...known, ...fresh] : sendOrder(known, fresh);
    this.ids = { a: isMatrixRef(a) ? [...a.ids] : [], b: isMatrixRef(b) ? [...b.ids] : [] };
  }

  /**
   * Resolves when the head has every block. Called again for a head that was restarted, which may have answered a `bind` that
   * was not on its disk yet: blocks that are known by now cost one small message each.
   */
  async run(): Promise<void> {
    await forEachBlock(this.cuts, (cut) => this.deliver(cut));
  }

  private deliver(cut: BlockCut): Promise<void> {
    const id = this.ids[cut.role][cut.number];
    return id === undefined ? this.deliverNew(cut) : this.deliverKnown(cut, id);
  }

  private async deliverNew(cut: BlockCut): Promise<void> {
    const { transport } = this;
    const packed = await packBlock(transport.pool, this.source(cut), cut);
    try {
      const id = blockIdOf(packed.bytes);
      this.ids[cut.role][cut.number] = id;
      const path = transport.store?.write(id, packed.bytes) ?? '';
      if (path !== '') packed.release();
      if (!(await this.bind(cut, id, path))) return;
      if (path === '')
        await packed.use(() => putBlock(transport, { id, bytes: packed.bytes, scope: this.options.scope }));
      else await this.putAgain(cut, id);
    } finally {
      packed.release();
    }
  }

  private async deliverKnown(cut: BlockCut, id: BlockId): Promise<void> {
    if (await this.bind(cut, id, this.transport.store?.find(id) ?? '')) await this.putAgain(cut, id);
  }

  /** The head wants a block that it was told to have: it lost it, or cannot read what this process wrote. */
  private async putAgain(cut: BlockCut, id: BlockId): Promise<void> {
    const packed = await packBlock(this.transport.pool, this.source(cut), cut);
    await packed.use(() => putBlock(this.transport, { id, bytes: packed.bytes, scope: this.options.scope }));
  }

  private source({ role, number }: BlockCut): MatrixSource {
    const operand = this.options.operands[role];
    if (!isMatrixRef(operand)) return operand;
    throw new MusterError('BLOCK_MISSING', `the head no longer has operand ${role}`, {
      why: `block ${number} (${operand.ids[number]}) is gone from its store`,
      fix: 'put the matrix again and use the new reference',
    });
  }

  /** Are the bytes wanted? Asked at once behind the submission, which saves its round trip. */
  private async bind(cut: BlockCut, id: BlockId, path: string): Promise<boolean> {
    try {
      return await this.askToBind(cut, id, path);
    } catch (error) {
      // A task that was refused is unknown to the head: then the refusal is the reason. A submission that was lost comes again.
      await this.options.accepted;
      if (!isMusterError(error) || error.code !== 'TASK_UNKNOWN') throw error;
      return this.askToBind(cut, id, path);
    }
  }

  private async askToBind({ role, number, bytes }: BlockCut, id: BlockId, path: string): Promise<boolean> {
    const { task, scope } = this.options;
    const binding = { task, operand: role, block: number, id, bytes, path };
    const { message } = await this.transport.link.ask('bind', binding, { scope });
    return message.wanted;
  }
}
