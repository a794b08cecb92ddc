/** The rounds of a training run: what the trainer asks for, and how a round is cut. */
import type { NodeFacts, TaskPlan } from '../task-type.ts';
import type { RoundStart } from '../rounds.ts';
import { cutBatch, virtualShards } from '../../training/batch-cut.ts';
import type { TrainSpec } from './spec.ts';

export interface TrainRound {
  /**
   * gradient  an optimizer step, or as many as the nodes make alone
   * evaluate  loss and right answers of the test set
   */
  readonly kind: 'gradient' | 'evaluate';
  /** Optimizer steps done before it. */
  readonly step: number;
  readonly epoch: number;
  /** Positions [from, to) in the order of the epoch; sample numbers for `evaluate`. */
  readonly from: number;
  readonly to: number;
  readonly learningRate: number;
}

/** [from, to) of the positions of one subtask. */
export type Shard = readonly [number, number];

export interface TrainLayout {
  readonly round: TrainRound;
  readonly shards: readonly Shard[];
}

/** Fewer samples in a shard waste the time of a node. */
const SHARD_MIN = 16;

/** One shard for each node, as large as it is fast; or the same shards whatever the nodes are. */
export function planRound({ options }: TrainSpec, { ask }: RoundStart, nodes: readonly NodeFacts[]): TaskPlan {
  const round = ask as TrainRound;
  const samples = round.to - round.from;
  const fixed = options.deterministic && round.kind === 'gradient';
  const cut = fixed
    ? virtualShards(samples, options.virtualShards)
    : cutBatch(
        samples,
        nodes.map(({ gflops }) => gflops.float32),
        { minimum: SHARD_MIN },
      );
  const shards = cut.map(([from, to]): Shard => [round.from + from, round.from + to]);
  const homes = shards.map((_, at) => (fixed ? Math.floor((at * nodes.length) / shards.length) : at));
  return roundPlan({ round, shards }, homes, nodes.length);
}

const roundPlan = (layout: TrainLayout, homes: readonly number[], nodes: number): TaskPlan => ({
  subtasks: layout.shards.length,
  batch: 1,
  homes,
  nodes,
  forecast: [],
  advice: '',
  layout,
});

/** Half of the samples of a step are enough, because sums are weighted by what they are sums of; a test set is wanted whole. */
export function quorumOf({ options }: TrainSpec, plan: TaskPlan): number {
  const { round, shards } = plan.layout as TrainLayout;
  const whole = options.deterministic || round.kind === 'evaluate';
  return whole ? shards.length : Math.ceil(shards.length / 2);
}
