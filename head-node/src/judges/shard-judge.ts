import type { TrainLayout } from '@muster/shared';
import type { IncomingResults } from '../io/incoming-results.ts';
import type { TrainingRuns } from '../io/training-runs.ts';
import type { Trainer } from '../train/index.ts';
import type { Judge } from './judge.ts';

export interface ShardJudgePorts {
  readonly trainer: Trainer;
  readonly runs: TrainingRuns;
  readonly incoming: IncomingResults;
}

/** Shards of a round, taken in by the trainer, which recomputes some of them. */
export const shardJudge = ({ trainer, runs, incoming }: ShardJudgePorts): Judge => ({
  open: (operands) => runs.open(operands),
  judge: async (order) => {
    const { task, round, provider: node, indices } = order;
    const [index = 0] = indices;
    const path = incoming.pathOf(order);
    const verdict = await trainer.check({ task, round, index, node, path, layout: order.layout as TrainLayout });
    incoming.recycle(order);
    return { ...verdict, digest: '' };
  },
  close: (task) => runs.close(task),
});
