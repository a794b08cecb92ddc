/** Computes a shard of a round. Nodes use it, and so does the head to recompute some shards. */
import { MusterError } from '../errors.ts';
import type { Model } from '../model/description.ts';
import { parameterCount } from '../model/parameters.ts';
import type { SampleLayout } from '../samples/layout.ts';
import { accumulate } from './accumulate.ts';
import { virtualShards } from './batch-cut.ts';
import { BatchBuffers, type SampleSource } from './batch-buffers.ts';
import { clipByGlobalNorm } from './clip.ts';
import { EpochOrder } from './epoch-order.ts';
import type { GraphRunner, StepOutputs } from './graph-runner.ts';
import { microBatches, microBatchMax } from './micro-batches.ts';
import { createOptimizer, type OptimizerRates } from './optimizer.ts';
import type { TrainingOptions } from './options.ts';

/** The part of a lease's work (tasks/train/work.ts) that says which samples to compute, and what. */
export interface ShardWork {
  readonly kind: 'gradient' | 'evaluate';
  readonly seed: number;
  readonly epoch: number;
  readonly step: number;
  /** Samples of the whole set. */
  readonly samples: number;
  /** Positions [from, to) in the order of the epoch; for `evaluate` sample numbers. */
  readonly from: number;
  readonly to: number;
  readonly local: LocalSteps | null;
}

/** Optimizer of the steps that a node makes alone. */
export interface LocalSteps extends OptimizerRates, Pick<TrainingOptions, 'clipNorm'> {
  readonly steps: number;
  readonly learningRate: number;
}

/** The weights to compute at, and the source of samples: only blocks that hold samples of the shard are asked for. */
export interface ShardInputs extends SampleSource {
  readonly weights: Float32Array;
}

export interface ShardSums {
  readonly samples: number;
  readonly correct: number;
  /** Sum over the samples; with local steps at the weights that each step began with. */
  readonly loss: number;
  /**
   * Sum of the gradients over the samples. With local steps the weights at the start minus those at the end: not a sum, but uphill like a
   * gradient. Empty for an evaluation. It belongs to the caller.
   */
  readonly vector: Float32Array;
}

export interface ShardGraphs {
  readonly model: Model;
  readonly layout: SampleLayout;
  /** Called once for each kind, on first use. */
  readonly open: (kind: ShardWork['kind']) => Promise<GraphRunner>;
}

type Position = Pick<ShardWork, 'seed' | 'step'>;

/** One shard at a time: the next one reuses the buffers. */
export class ShardGradient {
  readonly #model: Model;
  readonly #parameters: number;
  readonly #open: ShardGraphs['open'];
  readonly #runners = new Map<ShardWork['kind'], Promise<GraphRunner>>();
  readonly #buffers: BatchBuffers;
  #order: KnownOrder = { seed: 0, epoch: 0, order: new Uint32Array() };
  /** Latest shard with a gradient, and how far behind the start of the one before in the same epoch it began; 0 if there is none. */
  #latest: ShardWork | null = null;
  #stride = 0;

  constructor({ model, layout, open }: ShardGraphs) {
    this.#model = model;
    this.#parameters = parameterCount(model);
    this.#open = open;
    this.#buffers = new BatchBuffers(model, layout);
  }

  /** Rejects with SHAPE_MISMATCH for weights of another model, and with the errors of the runner. */
  async run(shard: ShardWork, inputs: ShardInputs): Promise<ShardSums> {
    this.#checkWeights(inputs.weights);
    const { kind, local, from, to } = shard;
    if (kind === 'evaluate') return this.#evaluate(shard, inputs);
    this.#stride = strideTo(shard, this.#latest);
    this.#latest = shard;
    const indices = this.#orderOf(shard).subarray(from, to);
    return local ? this.#walk(local, { shard, indices, inputs }) : this.#gradient(shard, indices, inputs);
  }

  /**
   * To be called between shards while idle: gathers the samples that the next shard probably begins with, assuming the same distance as
   * between the last two, with a margin because shards are cut anew for each step. Throws what `blockAt` throws; the next shard is computed
   * all the same.
   */
  gatherAhead({ set, blockAt }: SampleSource): void {
    const { order } = this.#order;
    if (this.#latest === null || this.#stride <= 0) return;
    const { from, to } = this.#latest;
    const next = from + this.#stride;
    if (next >= order.length) return;
    const margin = Math.ceil((to - from) / AROUND);
    const start = Math.max(0, next - margin);
    const end = next + Math.min(to - from, microBatchMax(this.#model)) + margin;
    this.#buffers.gather({ indices: order.subarray(start, end), set, blockAt });
  }

  async #gradient(position: Position, indices: Uint32Array, inputs: ShardInputs): Promise<ShardSums> {
    return this.#sum('gradient', indices, (runner, part) => {
      const batch = this.#buffers.samples({ ...sourceOf(inputs), indices: part });
      return runner.run({ ...this.#weights(inputs), ...batch, ...this.#buffers.masks(position, part) });
    });
  }

  async #evaluate({ from, to }: ShardWork, inputs: ShardInputs): Promise<ShardSums> {
    const indices = Uint32Array.from({ length: to - from }, (_, at) => from + at);
    return this.#sum('evaluate', indices, (runner, part) =>
      runner.run({ ...this.#weights(inputs), ...this.#buffers.samples({ ...sourceOf(inputs), indices: part }) }),
    );
  }

  /** Each step over an equal part of the shard. */
  async #walk(local: LocalSteps, { shard, indices, inputs }: WalkOf): Promise<ShardSums> {
    const weights = inputs.weights.slice();
    // Fresh for each shard: its moments are not kept.
    const optimizer = createOptimizer(local, weights.length);
    let [correct, loss] = [0, 0];
    for (const [at, { from, to }] of virtualShards(indices.length, local.steps).entries()) {
      const position = { seed: shard.seed, step: shard.step + at };
      const sums = await this.#gradient(position, indices.subarray(from, to), { ...inputs, weights });
      correct += sums.correct;
      loss += sums.loss;
      divide(sums.vector, sums.samples);
      if (local.clipNorm > 0) clipByGlobalNorm(sums.vector, local.clipNorm);
      optimizer.step(weights, sums.vector, local.learningRate);
    }
    subtractFrom(inputs.weights, weights);
    return { samples: indices.length, correct, loss, vector: weights };
  }

  async #sum(
    kind: ShardWork['kind'],
    indices: Uint32Array,
    run: (runner: GraphRunner, part: Uint32Array) => Promise<StepOutputs>,
  ): Promise<ShardSums> {
    const runner = await this.#runner(kind);
    let sums: ShardSums = { samples: 0, correct: 0, loss: 0, vector: new Float32Array() };
    for (const { from, to } of microBatches(this.#model, indices.length)) {
      sums = added(sums, await run(runner, indices.subarray(from, to)), to - from);
    }
    return sums;
  }

  #runner(kind: ShardWork['kind']): Promise<GraphRunner> {
    const known = this.#runners.get(kind);
    if (known) return known;
    const opening = this.#open(kind);
    this.#runners.set(kind, opening);
    // The next shard may try again.
    opening.catch(() => this.#runners.delete(kind));
    return opening;
  }

  #weights({ weights }: ShardInputs): { weights: { elements: Float32Array; dims: number[] } } {
    return { weights: { elements: weights, dims: [this.#parameters] } };
  }

  #orderOf({ seed, epoch, samples }: ShardWork): Uint32Array {
    const known = this.#order;
    if (known.seed === seed && known.epoch === epoch && known.order.length === samples) return known.order;
    this.#order = { seed, epoch, order: new EpochOrder(seed, epoch, samples).order };
    return this.#order.order;
  }

  #checkWeights({ length }: Float32Array): void {
    if (length === this.#parameters) return;
    throw new MusterError('SHAPE_MISMATCH', `the weights do not fit the model ${this.#model.name}`, {
      why: `it has ${this.#parameters} parameters, there are ${length} weights`,
    });
  }
}

const sourceOf = ({ set, blockAt }: ShardInputs): SampleSource => ({ set, blockAt });

/** The bounds of a shard move by less than this fraction of its length, 1/32, from step to step. */
const AROUND = 32;

const strideTo = (shard: ShardWork, before: ShardWork | null): number =>
  before !== null && shard.local === null && before.seed === shard.seed && before.epoch === shard.epoch
    ? shard.from - before.from
    : 0;

interface WalkOf {
  readonly shard: ShardWork;
  readonly indices: Uint32Array;
  readonly inputs: ShardInputs;
}

interface KnownOrder extends Pick<ShardWork, 'seed' | 'epoch'> {
  readonly order: Uint32Array;
}

/** Adds into the array of the first part. */
function added(sums: ShardSums, { loss, correct, gradient }: StepOutputs, samples: number): ShardSums {
  let { vector } = sums;
  if (gradient && sums.samples === 0) vector = gradient;
  else if (gradient) accumulate(vector, gradient);
  return {
    samples: sums.samples + samples,
    correct: sums.correct + correct[0]!,
    loss: sums.loss + loss[0]!,
    vector,
  };
}

function divide(vector: Float32Array, by: number): void {
  for (let i = 0; i < vector.length; i += 1) vector[i]! /= by;
}

/** vector = from - vector */
function subtractFrom(from: Float32Array, vector: Float32Array): void {
  for (let i = 0; i < vector.length; i += 1) vector[i] = from[i]! - vector[i]!;
}
