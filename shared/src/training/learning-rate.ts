import type { TrainingOptions } from './options.ts';

/**
 * The learning rate of step `step` (from 0) of `totalSteps`: linear warm-up that reaches the peak at step
 * `warmupSteps - 1`, then constant, a half cosine that would reach 0 at `totalSteps`, or a staircase.
 * Additions, multiplications and divisions only, so that every machine gets the same bits.
 */
export function learningRateAt(options: TrainingOptions, step: number, totalSteps: number): number {
  const { learningRate, warmupSteps, schedule } = options;
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  switch (schedule) {
    case 'constant':
      return learningRate;
    case 'cosine':
      return learningRate * halfCosine((step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
    case 'step':
      return learningRate * wholePower(options.stepFactor, Math.floor((step - warmupSteps) / options.stepEvery));
  }
}

/** (1 + cos(pi x)) / 2 for x in [0, 1], to 1e-15: `Math.cos` may differ in the last bit between machines. */
function halfCosine(x: number): number {
  if (x >= 1) return 0;
  const angle = Math.PI * (x - 0.5);
  const square = angle * angle;
  let sine = 0;
  for (let n = 23; n >= 3; n -= 2) sine = ((sine + 1) * -square) / (n * (n - 1));
  return 0.5 - 0.5 * angle * (sine + 1);
}

/** base^exponent by squaring: unlike `**`, the same bits everywhere. */
export function wholePower(base: number, exponent: number): number {
  let [power, square, left] = [1, base, exponent];
  while (left > 0) {
    if (left % 2 === 1) power *= square;
    square *= square;
    left = Math.floor(left / 2);
  }
  return power;
}
