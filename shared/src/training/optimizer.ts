import { MusterError } from '../errors.ts';
import { wholePower } from './learning-rate.ts';
import type { TrainingOptions } from './options.ts';

const { min, sqrt } = Math;

/** Named moments of an optimizer, as they go into a checkpoint. Their order is fixed. */
export type OptimizerState = Readonly<Record<string, Float32Array>>;

export interface Optimizer {
  /** weights -= learningRate * direction(gradientMean), in place; allocates nothing. Both have `parameters` values. */
  step(weights: Float32Array, gradientMean: Float32Array, learningRate: number): void;
  /** The live arrays, not copies. */
  state(): OptimizerState;
  /** Copies a state of the same optimizer. @throws CHECKPOINT_MISMATCH for one with other names or lengths. */
  load(state: OptimizerState): void;
}

/** The options of a run that its optimizer depends on. */
export type OptimizerRates = Pick<
  TrainingOptions,
  'optimizer' | 'momentum' | 'beta1' | 'beta2' | 'epsilon' | 'weightDecay'
>;

/**
 * SGD, momentum and Nesterov as in Sutskever et al. 2013 with PyTorch's and TensorFlow.js' sign and scale; Adam of
 * Kingma & Ba 2015 and AdamW of Loshchilov & Hutter 2019 with bias correction. Arithmetic is float64, what is
 * kept between steps float32.
 */
export function createOptimizer(options: OptimizerRates, parameters: number): Optimizer {
  switch (options.optimizer) {
    case 'sgd':
      return new Sgd(options);
    case 'momentum':
    case 'nesterov':
      return new Momentum({ ...options, isNesterov: options.optimizer === 'nesterov' }, parameters);
    case 'adam':
    case 'adamw':
      return new Adam(options, parameters);
  }
}

class Sgd implements Optimizer {
  readonly #decay: number;

  constructor({ weightDecay }: OptimizerRates) {
    this.#decay = weightDecay;
  }

  step(weights: Float32Array, gradient: Float32Array, rate: number): void {
    const decay = this.#decay;
    for (let i = 0; i < weights.length; i += 1) weights[i]! -= rate * (gradient[i]! + decay * weights[i]!);
  }

  state(): OptimizerState {
    return {};
  }

  load(state: OptimizerState): void {
    copyState(state, this.state());
  }
}

interface MomentumRates extends Pick<OptimizerRates, 'momentum' | 'weightDecay'> {
  /** Looks ahead by the new velocity. */
  readonly isNesterov: boolean;
}

export class Momentum implements Optimizer {
  readonly #rates: MomentumRates;
  readonly #velocity: Float32Array;

  constructor(rates: MomentumRates, parameters: number) {
    this.#rates = rates;
    this.#velocity = new Float32Array(parameters);
  }

  step(weights: Float32Array, gradient: Float32Array, rate: number): void {
    const { weightDecay, momentum, isNesterov } = this.#rates;
    const velocity = this.#velocity;
    for (let i = 0; i < weights.length; i += 1) {
      const slope = gradient[i]! + weightDecay * weights[i]!;
      const next = momentum * velocity[i]! + slope;
      velocity[i] = next;
      weights[i]! -= rate * (isNesterov ? slope + momentum * next : next);
    }
  }

  state(): OptimizerState {
    return { velocity: this.#velocity };
  }

  load(state: OptimizerState): void {
    copyState(state, this.state());
  }
}

/** Largest whole number up to which float32 counts by ones; every bias correction is 1 long before. */
const STEPS_MAX = 2 ** 24;

class Adam implements Optimizer {
  readonly #options: OptimizerRates;
  readonly #first: Float32Array;
  readonly #second: Float32Array;
  readonly #steps = new Float32Array(1);

  constructor(options: OptimizerRates, parameters: number) {
    this.#options = options;
    this.#first = new Float32Array(parameters);
    this.#second = new Float32Array(parameters);
  }

  step(weights: Float32Array, gradient: Float32Array, rate: number): void {
    const { optimizer, weightDecay, beta1, beta2, epsilon } = this.#options;
    const steps = min(this.#steps[0]! + 1, STEPS_MAX);
    this.#steps[0] = steps;
    const [first, second] = [this.#first, this.#second];
    const firstScale = rate / (1 - wholePower(beta1, steps));
    const secondScale = 1 / (1 - wholePower(beta2, steps));
    const slopeDecay = optimizer === 'adam' ? weightDecay : 0;
    const keep = optimizer === 'adamw' ? 1 - rate * weightDecay : 1;
    for (let i = 0; i < weights.length; i += 1) {
      const slope = gradient[i]! + slopeDecay * weights[i]!;
      const mean = beta1 * first[i]! + (1 - beta1) * slope;
      const square = beta2 * second[i]! + (1 - beta2) * slope * slope;
      first[i] = mean;
      second[i] = square;
      weights[i] = keep * weights[i]! - (firstScale * mean) / (sqrt(secondScale * square) + epsilon);
    }
  }

  state(): OptimizerState {
    return { first: this.#first, second: this.#second, steps: this.#steps };
  }

  load(state: OptimizerState): void {
    copyState(state, this.state());
  }
}

function copyState(from: OptimizerState, to: OptimizerState): void {
  const [given, wanted] = [shapeOf(from), shapeOf(to)];
  if (given !== wanted) {
    throw new MusterError('CHECKPOINT_MISMATCH', 'the checkpoint is of another optimizer', {
      why: `it has ${given || 'no moments'}, the optimizer has ${wanted || 'none'}`,
      fix: 'resume with the optimizer and the model of the checkpoint',
    });
  }
  for (const [name, values] of Object.entries(to)) values.set(from[name]!);
}

const shapeOf = (state: OptimizerState): string =>
  Object.entries(state)
    .map(([name, values]) => `${name}[${values.length}]`)
    .toSorted()
    .join(' ');
