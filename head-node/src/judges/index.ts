import type { BlockStore } from '@muster/shared/io';
import type { IncomingResults } from '../io/incoming-results.ts';
import type { TrainingRuns } from '../io/training-runs.ts';
import type { Trainer } from '../train/index.ts';
import type { Verifier } from '../verify/index.ts';
import { echoJudge } from './echo-judge.ts';
import type { Judge } from './judge.ts';
import { productJudge } from './product-judge.ts';
import { rowsJudge } from './rows-judge.ts';
import { shardJudge } from './shard-judge.ts';

export { type Judge, type Verdict } from './judge.ts';

export interface JudgePorts {
  readonly verifier: Verifier;
  readonly trainer: Trainer;
  readonly runs: TrainingRuns;
  readonly blocks: BlockStore;
  readonly incoming: IncomingResults;
}

/** By task type. */
export type Judges = Readonly<Record<string, Judge>>;

export const judgesOf = (ports: JudgePorts): Judges => ({
  echo: echoJudge,
  matrix_mult: productJudge(ports),
  infer: rowsJudge(ports.verifier, ports.incoming),
  train: shardJudge(ports),
});
