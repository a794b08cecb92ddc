import type { BlockId } from '@muster/shared';
import type { BlockSource } from './block-source.ts';
import { PackedBlock } from './packed-block.ts';

/** An operand that is a single block in memory, such as a file that was read to be checked. Without bytes it has no blocks. */
export class WholeBlock implements BlockSource {
  readonly operand: string;
  readonly blocks: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  /** `bytes` must not change until the upload has ended. */
  constructor(operand: string, bytes: Uint8Array<ArrayBuffer>) {
    this.operand = operand;
    this.#bytes = bytes;
    this.blocks = bytes.length > 0 ? 1 : 0;
  }

  blockBytes(): number {
    return this.#bytes.length;
  }

  known(): BlockId | undefined {
    return undefined;
  }

  read(): PackedBlock {
    return new PackedBlock(this.#bytes, null);
  }
}
