import { Limiter } from '@muster/shared';
import { nextTurn } from '../transport.ts';

/** Blocks in flight at a time, from packing to the head's answer. */
const BLOCKS_UNDER_WAY = 64;

/**
 * Starts the blocks in order, one per turn of the event loop so that messages keep flowing. After a failure starts no more, waits for
 * those started and rejects with the first error.
 */
export async function forEachBlock<Block>(
  blocks: readonly Block[],
  act: (block: Block, place: number) => Promise<void>,
): Promise<void> {
  const underWay = new Limiter(BLOCKS_UNDER_WAY);
  const failures: unknown[] = [];
  const started: Promise<void>[] = [];
  for (const [place, block] of blocks.entries()) {
    await underWay.enter();
    if (failures.length > 0) break;
    const ended = act(block, place).catch((error: unknown) => void failures.push(error));
    started.push(ended.then(() => underWay.leave()));
    await nextTurn();
  }
  await Promise.all(started);
  if (failures.length > 0) throw failures[0];
}
