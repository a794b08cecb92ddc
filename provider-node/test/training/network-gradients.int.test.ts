import { describe, test } from '@jest/globals';
import { compareSteps } from './compare-steps.ts';
import { everything, lenet, mlp } from './models.ts';

/** Whole networks, which TensorFlow.js on the CPU takes seconds for. */
describe.each(['random', 'patches'] as const)('gradients equal those of TensorFlow.js, %s input:', (picture) => {
  test.each([
    ['everything', everything],
    ['mlp', mlp],
    ['lenet', lenet],
  ])('%s', async (_, model) => {
    await compareSteps(model, { samples: 2, seed: 9, picture });
  });
});
