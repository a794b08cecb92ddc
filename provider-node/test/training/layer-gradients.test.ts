import { describe, test } from '@jest/globals';
import { compareSteps } from './compare-steps.ts';
import { pieces } from './models.ts';

describe.each(['random', 'patches'] as const)('gradients equal those of TensorFlow.js, %s input:', (picture) => {
  test.each(Object.entries(pieces))('%s', async (_, model) => {
    await compareSteps(model, { samples: 3, seed: 7, picture });
  });
});
