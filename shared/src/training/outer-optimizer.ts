import { Momentum, type Optimizer, type OptimizerState } from './optimizer.ts';
import type { TrainingOptions } from './options.ts';

type OuterOptions = Pick<TrainingOptions, 'outerLearningRate' | 'outerMomentum'>;

/**
 * The head's step after `localSteps` steps on every node: Nesterov momentum over the nodes' mean weight change (DiLoCo, Douillard et al.
 * 2023). With rate 1 and momentum 0 it is plain local SGD.
 */
export class OuterOptimizer {
  readonly #rate: number;
  readonly #nesterov: Optimizer;

  constructor({ outerLearningRate, outerMomentum }: OuterOptions, parameters: number) {
    this.#rate = outerLearningRate;
    this.#nesterov = new Momentum({ momentum: outerMomentum, weightDecay: 0, isNesterov: true }, parameters);
  }

  /** `meanDelta`: (weights after - weights before), averaged over samples. A delta points downhill, a gradient uphill: hence the sign. */
  step(weights: Float32Array, meanDelta: Float32Array): void {
    this.#nesterov.step(weights, meanDelta, -this.#rate);
  }

  state(): OptimizerState {
    return this.#nesterov.state();
  }

  load(state: OptimizerState): void {
    this.#nesterov.load(state);
  }
}
