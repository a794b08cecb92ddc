/** Seeds are independent of each other, so each worker thread takes a share of them. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { SeedOutcome } from './run-seed.ts';
import type { Asked } from './summary.ts';

/** Every `stride`th seed from `first` on, below `first + count`. */
export interface Share extends Asked {
  readonly first: number;
  readonly count: number;
  readonly stride: number;
}

export interface Pool extends Omit<Share, 'stride'> {
  readonly workers: number;
}

export async function runSeeds({ workers, ...pool }: Pool, onOutcome: (outcome: SeedOutcome) => void): Promise<void> {
  const stride = Math.min(workers, pool.count);
  const shares = Array.from({ length: stride }, (_, at): Share => ({
    ...pool,
    first: pool.first + at,
    count: pool.count - at,
    stride,
  }));
  await Promise.all(shares.map((share) => runShare(share, onOutcome)));
}

async function runShare(share: Share, onOutcome: (outcome: SeedOutcome) => void): Promise<void> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: share });
  worker.on('message', onOutcome);
  await once(worker, 'exit');
}
