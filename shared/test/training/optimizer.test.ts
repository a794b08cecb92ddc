import { describe, expect, test } from '@jest/globals';
import {
  clipByGlobalNorm,
  createOptimizer,
  globalNorm,
  optimizerNames,
  OuterOptimizer,
  parseTrainingOptions,
  type OptimizerName,
} from '@muster/shared';
import { gradientOf, largestDifference, refusal } from './arbitrary-gradients.ts';

interface Run {
  weights: number[];
  first: number[];
  second: number[];
  t: number;
}
type Rule = (run: Run, gradient: readonly number[], rate: number) => void;

/** The papers' rules in float64, one line each: `g` with L2 decay 0.01 (AdamW: decoupled). */
const each = (run: Run, rule: (i: number) => void): void => run.weights.forEach((_, i) => rule(i));
const rules: Record<OptimizerName, Rule> = {
  sgd: (run, g, rate) => each(run, (i) => (run.weights[i]! -= rate * (g[i]! + 0.01 * run.weights[i]!))),
  momentum: (run, g, rate) =>
    each(run, (i) => {
      run.first[i] = 0.9 * run.first[i]! + g[i]! + 0.01 * run.weights[i]!;
      run.weights[i]! -= rate * run.first[i];
    }),
  nesterov: (run, g, rate) =>
    each(run, (i) => {
      const slope = g[i]! + 0.01 * run.weights[i]!;
      run.first[i] = 0.9 * run.first[i]! + slope;
      run.weights[i]! -= rate * (slope + 0.9 * run.first[i]);
    }),
  adam: (run, g, rate) =>
    adamRule(
      run,
      g.map((slope, i) => slope + 0.01 * run.weights[i]!),
      rate,
    ),
  adamw: (run, g, rate) => {
    each(run, (i) => (run.weights[i]! *= 1 - rate * 0.01));
    adamRule(run, g, rate);
  },
};

function adamRule(run: Run, g: readonly number[], rate: number): void {
  run.t += 1;
  each(run, (i) => {
    run.first[i] = 0.9 * run.first[i]! + 0.1 * g[i]!;
    run.second[i] = 0.999 * run.second[i]! + 0.001 * g[i]! ** 2;
    const mean = run.first[i] / (1 - 0.9 ** run.t);
    const square = run.second[i] / (1 - 0.999 ** run.t);
    run.weights[i]! -= (rate * mean) / (Math.sqrt(square) + 1e-8);
  });
}

const optionsOf = (optimizer: OptimizerName): ReturnType<typeof parseTrainingOptions> =>
  parseTrainingOptions({ optimizer, weightDecay: 0.01 });

describe.each(optimizerNames)('%s', (name) => {
  test('follows its rule in float64 over 50 steps of a changing rate', () => {
    const optimizer = createOptimizer(optionsOf(name), 300);
    const weights = gradientOf(300, 1, 0.05);
    const zeros = (): number[] => Array.from({ length: 300 }, () => 0);
    const run: Run = { weights: [...weights], first: zeros(), second: zeros(), t: 0 };
    for (let step = 0; step < 50; step += 1) {
      const gradient = gradientOf(300, 100 + step);
      const rate = 0.05 / (1 + step / 10) / (name.startsWith('adam') ? 50 : 1);
      optimizer.step(weights, gradient, rate);
      rules[name](run, [...gradient], rate);
    }
    expect(largestDifference(weights, run.weights)).toBeLessThan(1e-6);
  });

  test('goes on from a loaded state bit for bit', () => {
    const [left, right] = [createOptimizer(optionsOf(name), 50), createOptimizer(optionsOf(name), 50)];
    const weights = gradientOf(50, 2);
    for (let step = 0; step < 5; step += 1) left.step(weights, gradientOf(50, step), 0.01);
    const copy = weights.slice();
    right.load(structuredClone(left.state()));
    left.step(weights, gradientOf(50, 9), 0.01);
    right.step(copy, gradientOf(50, 9), 0.01);
    expect(copy).toEqual(weights);
  });

  test('refuses the state of another optimizer', () => {
    const other = createOptimizer(optionsOf(name.startsWith('adam') ? 'sgd' : 'adam'), 50);
    expect(refusal(() => createOptimizer(optionsOf(name), 50).load(other.state())).code).toBe('CHECKPOINT_MISMATCH');
  });
});

describe('the first steps in closed form', () => {
  const stepsOf = (optimizer: OptimizerName): number[] => {
    const state = createOptimizer(parseTrainingOptions({ optimizer, weightDecay: 0 }), 1);
    const weights = Float32Array.of(0);
    return [0, 1].map(() => {
      state.step(weights, Float32Array.of(4), 0.5);
      return weights[0]!;
    });
  };

  test.each([
    ['sgd', [-2, -4]],
    ['momentum', [-2, -2 - 0.5 * 4 * 1.9]],
    ['nesterov', [-0.5 * (4 + 3.6), -0.5 * (8 + 3.6 + 0.9 * 7.6)]],
    ['adam', [-0.5, -1]],
    ['adamw', [-0.5, -1]],
  ] as const)('%s', (name, expected) => {
    expect(largestDifference(stepsOf(name), expected)).toBeLessThan(1e-6);
  });

  test('a moment of another length is no state', () => {
    const options = optionsOf('momentum');
    const error = refusal(() => createOptimizer(options, 3).load(createOptimizer(options, 4).state()));
    expect([error.code, error.why]).toEqual([
      'CHECKPOINT_MISMATCH',
      'it has velocity[4], the optimizer has velocity[3]',
    ]);
  });
});

describe('clipping', () => {
  test('scales to the norm, and only what is above it', () => {
    const gradient = Float32Array.of(3, 4);
    expect(clipByGlobalNorm(gradient, 10)).toBe(5);
    expect([...gradient]).toEqual([3, 4]);
    expect(clipByGlobalNorm(gradient, 2.5)).toBe(5);
    expect([...gradient]).toEqual([1.5, 2]);
    expect(clipByGlobalNorm(gradient, 0)).toBe(2.5);
    expect([...gradient]).toEqual([1.5, 2]);
  });

  test('reports a gradient that is not finite and leaves it', () => {
    const gradient = Float32Array.of(1, Infinity, 2);
    expect(clipByGlobalNorm(gradient, 1)).toBe(Infinity);
    expect([...gradient]).toEqual([1, Infinity, 2]);
    expect(globalNorm(Float32Array.of(1, Number.NaN))).toBeNaN();
  });

  test('does not overflow where float32 would', () => {
    const gradient = Float32Array.of(3e30, 4e30);
    expect(clipByGlobalNorm(gradient, 1) / 5e30).toBeCloseTo(1, 6);
    expect(globalNorm(gradient)).toBeCloseTo(1, 6);
  });
});

describe('the outer optimizer', () => {
  test('is Nesterov momentum over deltas', () => {
    const outer = new OuterOptimizer({ outerLearningRate: 0.7, outerMomentum: 0.6 }, 40);
    const weights = gradientOf(40, 1);
    const expected = [...weights];
    const velocity = expected.map(() => 0);
    for (let round = 0; round < 20; round += 1) {
      const delta = gradientOf(40, 50 + round);
      outer.step(weights, delta);
      for (let i = 0; i < 40; i += 1) {
        velocity[i] = 0.6 * velocity[i]! + delta[i]!;
        expected[i]! += 0.7 * (delta[i]! + 0.6 * velocity[i]!);
      }
    }
    expect(largestDifference(weights, expected)).toBeLessThan(1e-6);
  });

  test('with rate 1 and momentum 0 takes the mean of the nodes', () => {
    const outer = new OuterOptimizer({ outerLearningRate: 1, outerMomentum: 0 }, 2);
    const weights = Float32Array.of(1, 2);
    outer.step(weights, Float32Array.of(0.5, -1));
    expect([...weights]).toEqual([1.5, 1]);
  });

  test('goes on from a loaded state', () => {
    const options = { outerLearningRate: 0.7, outerMomentum: 0.6 };
    const [left, right] = [new OuterOptimizer(options, 8), new OuterOptimizer(options, 8)];
    const weights = gradientOf(8, 1);
    left.step(weights, gradientOf(8, 2));
    right.load(left.state());
    const copy = weights.slice();
    left.step(weights, gradientOf(8, 3));
    right.step(copy, gradientOf(8, 3));
    expect(copy).toEqual(weights);
  });
});
