import { createOptimizer, type Optimizer, type OptimizerState } from './optimizer.ts';
import type { TrainingOptions } from './options.ts';

type OuterOptions = Pick<TrainingOptions, 'outerLearningRate' | 'outerMomentum'>;

/**
 * The head's step after `localSteps` steps on every node: Nesterov momentum over the mean of what the nodes moved the
 * weights by (DiLoCo, Douillard et al. 2023). With rate 1 and momentum 0 it is plain local SGD.
 */
export class OuterOptimizer {
  readonly #rate: number;
  readonly #nesterov: Optimizer;

  constructor({ outerLearningRate, outerMomentum }: OuterOptions, parameters: number) {
    this.#rate = outerLearningRate;
    const unused = { beta1: 0, beta2: 0, epsilon: 1, weightDecay: 0 };
    this.#nesterov = createOptimizer({ ...unused, optimizer: 'nesterov', momentum: outerMomentum }, parameters);
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

/**
 * A node's part of the mean delta, as a *sum* over its samples like a gradient, so that the same reduction weights it:
 * sum[i] = samples * (after[i] - before[i]). `sum` may be `after`.
 */
export function deltaSum(
  moved: { before: Float32Array; after: Float32Array },
  samples: number,
  sum: Float32Array,
): void {
  const { before, after } = moved;
  for (let i = 0; i < sum.length; i += 1) sum[i] = samples * (after[i]! - before[i]!);
}
