import { EpochOrder } from '../../training/epoch-order.ts';
import type { Shard, TrainRound } from './round.ts';
import type { TrainSpec } from './spec.ts';

/** Numbers of the blocks that the shard's samples are in, ascending. */
export function blocksOfShard(spec: TrainSpec, round: TrainRound, [from, to]: Shard): number[] {
  const each = spec.layout.samplesPerBlock;
  if (round.kind === 'evaluate') return span(Math.floor(from / each), Math.ceil(to / each));
  const order = orderOf(spec, round.epoch);
  const touched = new Set<number>();
  for (let at = from; at < to; at += 1) touched.add(Math.floor((order[at] ?? 0) / each));
  return [...touched].toSorted((a, b) => a - b);
}

const span = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);

/** An order takes a millisecond for 60,000 samples, and every shard of an epoch needs the same. */
const latest = new WeakMap<TrainSpec, { readonly epoch: number; readonly order: Uint32Array }>();

function orderOf(spec: TrainSpec, epoch: number): Uint32Array {
  const known = latest.get(spec);
  if (known?.epoch === epoch) return known.order;
  const { order } = new EpochOrder(spec.options.seed, epoch, spec.trainSamples);
  latest.set(spec, { epoch, order });
  return order;
}
