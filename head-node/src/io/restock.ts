import type { SpareStock } from '@muster/shared/io';
import type { HeadCore } from '../core/head-core.ts';

/** Spare files: a MiB every 2 ms while there are some to make, else a look every 20 ms. */
const RESTOCK_MS = 2;
const RESTOCK_REST_MS = 20;
const RESTOCK_STEPS = 4;

/** Works in small steps, so that messages are answered at once, and not while a task is open. Returns a function that stops it. */
export function restockWhileIdle(core: HeadCore, { spares }: { readonly spares: SpareStock }): () => void {
  let timer: NodeJS.Timeout;
  const work = (): void => {
    // Not by leases: between two rounds nothing is leased, but the trainer is busy.
    let busy = core.state.open.size === 0;
    for (let step = 0; step < RESTOCK_STEPS && busy; step += 1) busy = spares.step();
    timer = setTimeout(work, busy ? RESTOCK_MS : RESTOCK_REST_MS);
  };
  timer = setTimeout(work, RESTOCK_REST_MS);
  return () => clearTimeout(timer);
}
