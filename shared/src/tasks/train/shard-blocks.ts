import { epochOrder } from '../../training/epoch-order.ts';
import type { Shard, TrainRound } from './round.ts';
import type { TrainSpec } from './spec.ts';

/** Numbers of the blocks that the shard's samples are in, ascending. */
export function blocksOfShard(spec: TrainSpec, round: TrainRound, [from, to]: Shard): number[] {
  const each = spec.layout.samplesPerBlock;
  if (round.kind === 'evaluate') return span(Math.floor(from / each), Math.ceil(to / each));
  const order = epochOrder({ seed: spec.options.seed, epoch: round.epoch, samples: spec.trainSamples });
  const touched = new Set<number>();
  for (let at = from; at < to; at += 1) touched.add(Math.floor((order[at] ?? 0) / each));
  return [...touched].sort((a, b) => a - b);
}

const span = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);
