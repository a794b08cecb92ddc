import {
  createOptimizer,
  initialWeights,
  ShardGradient,
  trainingStep,
  type GraphRunner,
  type Model,
  type TrainingOptions,
} from '@muster/shared';
import { freeMemory } from '@muster/shared/io';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { BenchSamples } from '../training/bench-samples.ts';
import { ONE_THREAD } from './one-thread.ts';

export interface LoopOptions {
  readonly model: Model;
  readonly samples: BenchSamples;
  /** Batch, seed and optimizer are used. */
  readonly options: TrainingOptions;
}

/**
 * Training without a cluster: batch, step graph, optimizer, repeated, on one thread of this process and with the same care for memory as
 * on a node.
 */
export class TrainingLoop {
  readonly weights: Float32Array;
  readonly #loop: LoopOptions;
  readonly #session: InferenceSession;
  readonly #gradient: ShardGradient;
  readonly #optimizer: ReturnType<typeof createOptimizer>;
  #step = 0;

  static async open(loop: LoopOptions): Promise<TrainingLoop> {
    const graph = trainingStep(loop.model, { device: 'cpu' });
    return new TrainingLoop(loop, await InferenceSession.create(graph, ONE_THREAD));
  }

  private constructor(loop: LoopOptions, session: InferenceSession) {
    const { model, samples, options } = loop;
    this.#loop = loop;
    this.#session = session;
    this.weights = initialWeights(model, options.seed);
    this.#gradient = new ShardGradient({ model, layout: samples.layout, open: async () => runnerOf(session) });
    this.#optimizer = createOptimizer(options, this.weights.length);
  }

  /** Makes `steps` steps; resolves to the mean time of one, in ms. */
  async run(steps: number): Promise<number> {
    const startMs = performance.now();
    for (let made = 0; made < steps; made++) await this.#makeStep();
    return (performance.now() - startMs) / steps;
  }

  /** Sums over samples [from, to) of the set in its first shuffled order, at the current weights. */
  sumsOf(from: number, to: number): ReturnType<ShardGradient['run']> {
    const { samples, options } = this.#loop;
    const shard = { kind: 'gradient', seed: options.seed, step: 0, samples: samples.count, local: null } as const;
    return this.#gradient.run(
      { ...shard, epoch: 0, from, to },
      { weights: this.weights, set: 'train', blockAt: samples.blockAt },
    );
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  async #makeStep(): Promise<void> {
    const { samples, options } = this.#loop;
    const stepsOfEpoch = Math.floor(samples.count / options.batch);
    const from = (this.#step % stepsOfEpoch) * options.batch;
    const { vector } = await this.sumsOf(from, from + options.batch);
    for (let at = 0; at < vector.length; at++) vector[at]! /= options.batch;
    this.#optimizer.step(this.weights, vector, options.learningRate);
    freeMemory(vector);
    this.#step += 1;
  }
}

const runnerOf = (session: InferenceSession): GraphRunner => ({
  run: async (inputs) => {
    const feeds = Object.entries(inputs).map(
      ([name, { elements, dims }]) => [name, new Tensor('float32', elements, dims)] as const,
    );
    const { loss, correct, gradient } = await session.run(Object.fromEntries(feeds));
    return {
      loss: loss?.data as Float32Array,
      correct: correct?.data as Float32Array,
      gradient: gradient?.data as Float32Array,
    };
  },
});
