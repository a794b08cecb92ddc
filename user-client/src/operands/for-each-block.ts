import { Limiter } from '../limiter.ts';
import { nextTurn } from '../transport.ts';
import type { BlockCut } from './block-cut.ts';

/** Blocks under way at a time, from packing to the head's answer. */
const BLOCKS_UNDER_WAY = 64;

/** Starts the blocks in order, one per turn of the event loop so that messages flow, and stops at the first failure. */
export async function forEachBlock(cuts: readonly BlockCut[], act: (cut: BlockCut) => Promise<void>): Promise<void> {
  const underWay = new Limiter(BLOCKS_UNDER_WAY);
  const failures: unknown[] = [];
  const started: Promise<void>[] = [];
  for (const cut of cuts) {
    await underWay.enter();
    if (failures.length > 0) break;
    const ended = act(cut).catch((error: unknown) => void failures.push(error));
    started.push(ended.then(() => underWay.leave()));
    await nextTurn();
  }
  await Promise.all(started);
  if (failures.length > 0) throw failures[0];
}
