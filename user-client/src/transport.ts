import { Limiter, limits } from '@muster/shared';
import { BufferPool } from './buffer-pool.ts';
import { Cancellations } from './cancellations.ts';
import type { HeadLink } from './link/head-link.ts';
import type { SharedBlocks } from './shared-blocks.ts';

/** What all tasks of one client share to reach the head. */
export class Transport {
  readonly link: HeadLink;
  readonly pool = new BufferPool();
  /** Limits of chunks in flight, one for each direction. */
  readonly puts = new Limiter(limits.fetchWindow.value);
  readonly fetches = new Limiter(limits.fetchWindow.value);
  readonly cancellations = new Cancellations();
  /** The head's files if this process can reach them; null: everything goes over the socket. */
  store: SharedBlocks | null = null;

  constructor(link: HeadLink) {
    this.link = link;
  }
}

/** Lets messages and timers run between two pieces of synchronous work. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
