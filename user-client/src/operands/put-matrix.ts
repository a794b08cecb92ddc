import { blockIdOf, type BlockId } from '@muster/shared';
import type { Transport } from '../transport.ts';
import { cutsOf, type BlockCut } from './block-cut.ts';
import { forEachBlock } from './for-each-block.ts';
import type { MatrixRef, OperandSide } from './matrix-ref.ts';
import type { MatrixSource } from './matrix-source.ts';
import { packMatrixBlock } from './packed-block.ts';
import { putBlock } from './put-block.ts';

/** Uploads the blocks of a matrix before there is a task for them. */
export async function putMatrix(transport: Transport, source: MatrixSource, role: OperandSide): Promise<MatrixRef> {
  const { rows, columns, dtype } = source;
  const cuts = cutsOf(role, source);
  const ids: BlockId[] = [];
  await forEachBlock(cuts, async (cut) => {
    ids[cut.number] = await putCut(transport, source, cut);
  });
  return { rows, columns, dtype, role, ids };
}

async function putCut(transport: Transport, source: MatrixSource, cut: BlockCut): Promise<BlockId> {
  const packed = await packMatrixBlock(transport.pool, source, cut);
  try {
    const id = blockIdOf(packed.bytes);
    const shared = transport.store !== null && transport.store.write(id, packed.bytes) !== '';
    if (!shared) await packed.use(() => putBlock(transport, { id, bytes: packed.bytes, scope: '' }));
    return id;
  } finally {
    packed.release();
  }
}
