/** Runs its share of the seeds, one after the other, in a thread of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { runSeed } from './run-seed.ts';
import type { Share } from './seed-pool.ts';

const { first, count, stride, faults, plant } = workerData as Share;
for (let seed = first; seed < first + count; seed += stride) parentPort?.postMessage(runSeed({ seed, faults, plant }));
