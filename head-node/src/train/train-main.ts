/** The trainer process: one call at a time, in order, on one thread. Arguments: its directory and the store's incoming folder. */
import { randomInt } from 'node:crypto';
import { seededRandom, systemClock } from '@muster/shared';
import { serveFrames } from '@muster/shared/io';
import type { TrainCalls } from './calls.ts';
import { OpenRuns } from './open-runs.ts';
import { recomputation } from './recomputation.ts';

const [directory = '', incomingDirectory = ''] = process.argv.slice(2);

const runs = new OpenRuns({
  directory,
  incomingDirectory,
  clock: systemClock,
  random: seededRandom(randomInt(2 ** 32)),
  recomputation,
});

await serveFrames<TrainCalls>({
  ready: () => null,
  open: (ask) => runs.open(ask),
  check: async (shard) => {
    const verdict = await runs.check(shard);
    // Not before the answer is on its way.
    setImmediate(() => runs.foldEarly(shard.task));
    return verdict;
  },
  fold: (ask) => runs.fold(ask),
  checkpoint: (task) => {
    runs.checkpoint(task);
    return null;
  },
  close: (task) => {
    runs.close(task);
    return null;
  },
  forget: (task) => {
    runs.forget(task);
    return null;
  },
});
