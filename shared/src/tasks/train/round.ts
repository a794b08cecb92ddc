/** The rounds of a training run: what the trainer asks for, and how a round is cut. */
import type { ProviderId } from '../../ids.ts';
import type { NodeFacts, TaskPlan } from '../task-type.ts';
import type { RoundStart } from '../rounds.ts';
import { cutBatch, virtualShards } from '../../training/batch-cut.ts';
import type { TrainingOptions } from '../../training/options.ts';
import { shardsNeeded } from '../../training/robust-mean.ts';
import type { TrainSpec } from './spec.ts';

export interface TrainRound {
  /**
   * gradient  one optimizer step, or as many as each node makes alone
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
  /**
   * Only with top-k, whose residuals must not be lost: for each node the number of its latest shard that arrived in time. A node that is
   * not listed starts with an empty residual.
   */
  readonly taken?: Readonly<Record<ProviderId, number>>;
}

/** [from, to) of the positions of one subtask. */
export type Shard = readonly [number, number];

export interface TrainLayout {
  readonly round: TrainRound;
  readonly shards: readonly Shard[];
}

/** With fewer samples in a shard a node computes inefficiently. */
const SHARD_MIN = 16;

/** One shard per node, in proportion to its speed; equal shards in deterministic training, or if a robust aggregator needs more. */
export function planRound({ options }: TrainSpec, { ask }: RoundStart, nodes: readonly NodeFacts[]): TaskPlan {
  const round = ask as TrainRound;
  const samples = round.to - round.from;
  const cut = round.kind === 'gradient' ? gradientCut(options, samples, nodes) : bySpeed(samples, nodes);
  const shards = cut.map(({ from, to }): Shard => [round.from + from, round.from + to]);
  return roundPlan(
    { round, shards },
    cut.map(({ home }) => home),
    nodes.length,
  );
}

function gradientCut(options: TrainingOptions, samples: number, nodes: readonly NodeFacts[]): HomeShard[] {
  const { deterministic, virtualShards: fixed } = options;
  const needed = shardsNeeded(options);
  if (deterministic) return evenly(samples, Math.max(fixed, needed), nodes.length);
  const cut = bySpeed(samples, nodes);
  return cut.length < needed ? evenly(samples, needed, nodes.length) : cut;
}

interface HomeShard {
  readonly from: number;
  readonly to: number;
  /** Position of the node that it is for. */
  readonly home: number;
}

const evenly = (samples: number, count: number, nodes: number): HomeShard[] =>
  virtualShards(samples, count).map((shard, at, { length }) => ({ ...shard, home: Math.floor((at * nodes) / length) }));

const bySpeed = (samples: number, nodes: readonly NodeFacts[]): HomeShard[] =>
  cutBatch(
    samples,
    nodes.map(({ gflops }) => gflops.float32),
    { minimum: SHARD_MIN },
  )
    .map((shard, home) => ({ ...shard, home }))
    .filter(({ from, to }) => to > from);

const roundPlan = (layout: TrainLayout, homes: readonly number[], nodes: number): TaskPlan => ({
  subtasks: layout.shards.length,
  batch: 1,
  homes,
  nodes,
  forecast: [],
  advice: '',
  layout,
});

/**
 * Half of a step's shards are enough, because the mean is weighted by samples, but no fewer than a robust aggregator needs. Deterministic
 * training and a test set need all of them.
 */
export function quorumOf({ options }: TrainSpec, plan: TaskPlan): number {
  const { round, shards } = plan.layout as TrainLayout;
  const whole = options.deterministic || round.kind === 'evaluate';
  const half = Math.ceil(shards.length / 2);
  return whole ? shards.length : Math.min(shards.length, Math.max(half, shardsNeeded(options)));
}
