import type { SpareStock } from '@muster/shared/io';
import type { HeadCore } from '../core/head-core.ts';

/** Spare files: a MiB every 2 ms while there is something to make, else a look now and then. */
const RESTOCK_MS = 2;
const RESTOCK_REST_MS = 20;
const RESTOCK_STEPS = 4;

/** In small steps, so that whatever comes is answered at once, and not while a task runs. Returns what stops it. */
export function restockWhileIdle(core: HeadCore, { spares }: { readonly spares: SpareStock }): () => void {
  let timer: NodeJS.Timeout;
  const work = (): void => {
    // Between two rounds nothing is leased, and yet nobody is idle.
    let busy = core.state.open.size === 0;
    for (let step = 0; step < RESTOCK_STEPS && busy; step += 1) busy = spares.step();
    timer = setTimeout(work, busy ? RESTOCK_MS : RESTOCK_REST_MS);
  };
  timer = setTimeout(work, RESTOCK_REST_MS);
  return () => clearTimeout(timer);
}
