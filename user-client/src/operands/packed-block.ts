import { bytesOf, elementsOf } from '@muster/shared';
import type { BufferPool } from '../buffer-pool.ts';
import type { BlockCut } from './block-cut.ts';
import type { MatrixSource } from './matrix-source.ts';

/** A block's bytes: a view into the source, or a buffer of the pool that must be released once. */
export class PackedBlock {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #pool: BufferPool | null;
  #held: boolean;

  constructor(bytes: Uint8Array<ArrayBuffer>, pool: BufferPool | null) {
    this.bytes = bytes;
    this.#pool = pool;
    this.#held = pool !== null;
  }

  /** Idempotent. */
  release(): void {
    if (this.#held) this.#pool?.giveBack(this.bytes);
    this.#held = false;
  }

  /** Sends the bytes and releases them. `send` resolves to whether ZeroMQ may still hold them, which is assumed when it rejects. */
  async use(send: () => Promise<boolean>): Promise<void> {
    let held = true;
    try {
      held = await send();
    } finally {
      if (held) this.#forget();
      else this.release();
    }
  }

  #forget(): void {
    if (this.#held) this.#pool?.forget(this.bytes);
    this.#held = false;
  }
}

export async function packMatrixBlock(
  pool: BufferPool,
  source: MatrixSource,
  { rows, columns, bytes }: BlockCut,
): Promise<PackedBlock> {
  const view = source.view?.(rows, columns) ?? null;
  if (view !== null) return new PackedBlock(bytesOf(view), null);
  const packed = new PackedBlock(await pool.lend(bytes), pool);
  try {
    await source.readBlock(rows, columns, elementsOf(source.dtype, packed.bytes));
    return packed;
  } catch (error) {
    packed.release();
    throw error;
  }
}
