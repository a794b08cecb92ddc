import {
  clipByGlobalNorm,
  createOptimizer,
  initialWeights,
  OuterOptimizer,
  type Checkpoint,
  type Optimizer,
  type OptimizerState,
  type TrainSpec,
} from '@muster/shared';
import { modelText } from './run-checkpoint.ts';
import { allFinite } from './shard-file.ts';

/** The weights and the state of their optimizer. */
export class RunState {
  readonly weights: Float32Array<ArrayBuffer>;
  readonly #spec: TrainSpec;
  /** Takes the head's own steps; null where nodes step alone. */
  readonly #inner: Optimizer | null;
  readonly #outer: OuterOptimizer | null;

  /** Throws CHECKPOINT_MISMATCH for a checkpoint of another optimizer. */
  constructor(spec: TrainSpec, checkpoint: Checkpoint | null) {
    const { options, model } = spec;
    this.#spec = spec;
    this.weights = checkpoint ? Float32Array.from(checkpoint.weights) : initialWeights(model, options.seed);
    const { length } = this.weights;
    const alone = options.localSteps > 1;
    this.#inner = alone ? null : createOptimizer(options, length);
    this.#outer = alone ? new OuterOptimizer(options, length) : null;
    if (checkpoint === null) return;
    this.#inner?.load(checkpoint.optimizer);
    this.#outer?.load(checkpoint.outer);
  }

  /** `mean` is the mean gradient, which may be clipped in place, or what nodes that step alone moved the weights by. */
  step(mean: Float32Array, learningRate: number): void {
    const { clipNorm } = this.#spec.options;
    // Without clipping the norm is not computed: that takes half as long as an optimizer step.
    if (this.#inner !== null && clipNorm > 0) clipByGlobalNorm(mean, clipNorm);
    this.#inner?.step(this.weights, mean, learningRate);
    this.#outer?.step(this.weights, mean);
  }

  isFinite(): boolean {
    return allFinite(this.weights);
  }

  /** Is the optimizer's state finite? Moments may overflow before the weights do. */
  remembersNumbers(): boolean {
    const states = [this.#inner?.state() ?? {}, this.#outer?.state() ?? {}];
    return states.flatMap((state) => Object.values(state)).every((array) => allFinite(array));
  }

  /** Refers to the live arrays, which the next step changes. */
  checkpoint(place: Pick<Checkpoint, 'step' | 'epoch' | 'cursor' | 'data'>): Checkpoint {
    const none: OptimizerState = {};
    return {
      ...place,
      weights: this.weights,
      optimizer: this.#inner?.state() ?? none,
      outer: this.#outer?.state() ?? none,
      options: this.#spec.options,
      model: modelText(this.#spec.model),
      versions: { node: process.versions.node },
    };
  }
}
