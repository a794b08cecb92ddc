import { describe, expect, test } from '@jest/globals';
import { keepsResidual, learningRateAt, parseTrainingOptions } from '@muster/shared';
import * as fc from 'fast-check';
import { refusal } from './arbitrary-gradients.ts';

describe('training options', () => {
  test('have a value each when nothing is given, and are frozen', () => {
    const options = parseTrainingOptions(undefined);
    expect(options).toEqual(parseTrainingOptions({}));
    expect(options).toMatchObject({ epochs: 10, batch: 128, optimizer: 'momentum', learningRate: 0.1, weightDecay: 0 });
    expect(Object.isFrozen(options)).toBe(true);
    expect(Object.values(options)).not.toContain(undefined);
  });

  test.each([
    [{ optimizer: 'sgd', schedule: 'constant' }, 0.1],
    [{ optimizer: 'nesterov' }, 0.1],
    [{ optimizer: 'nesterov', schedule: 'constant' }, 0.01],
    [{ optimizer: 'adam' }, 0.001],
    [{ optimizer: 'adamw', learningRate: 0.02 }, 0.02],
  ])('%j have the learning rate %d', (given, learningRate) => {
    expect(parseTrainingOptions(given).learningRate).toBe(learningRate);
  });

  test('decay weights by themselves only for AdamW', () => {
    expect(parseTrainingOptions({ optimizer: 'adamw' }).weightDecay).toBe(0.01);
    expect(parseTrainingOptions({ optimizer: 'adam' }).weightDecay).toBe(0);
  });

  test.each([
    ['none', 'none'],
    ['bf16', 'bf16'],
    ['topk:1%', { topk: 0.01 }],
    ['topk:0.1%', { topk: 0.001 }],
    [{ topk: 0.5 }, { topk: 0.5 }],
  ])('read the compression %j', (given, compression) => {
    expect(parseTrainingOptions({ compression: given }).compression).toEqual(compression);
  });

  test('resolved are valid input, through JSON too', () => {
    const given = fc.record(
      {
        optimizer: fc.constantFrom('sgd', 'momentum', 'nesterov', 'adam', 'adamw'),
        schedule: fc.constantFrom('constant', 'cosine', 'step'),
        compression: fc.constantFrom('none', 'bf16', 'int8', 'topk:2.5%'),
        batch: fc.integer({ min: 1, max: 4096 }),
        seed: fc.nat(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(given, (raw) => {
        const options = parseTrainingOptions(raw);
        expect(parseTrainingOptions(JSON.parse(JSON.stringify(options)))).toEqual(options);
      }),
    );
  });

  test.each([
    [{ batch: 0 }, 'batch', 'got 0'],
    [{ epochs: 0 }, 'epochs', 'got 0'],
    [{ epochs: 1.5 }, 'epochs', 'got 1.5'],
    [{ optimizer: 'lion' }, 'optimizer', 'got "lion"'],
    [{ learningRate: -1 }, 'learningRate', 'got -1'],
    [{ learningRate: Number.NaN }, 'learningRate', 'got'],
    [{ compression: 'topk:1' }, 'compression', '\'topk:1%\'; got "topk:1"'],
    [{ compression: 'topk:0%' }, 'compression', 'got "topk:0%"'],
    [{ compression: { topk: 0.1, k: 2 } }, 'compression', 'got {"topk":0.1,"k":2}'],
    [{ compression: null }, 'compression', 'got null'],
    [{ compression: { topk: 2 } }, 'compression', 'got {"topk":2}'],
    [{ trim: 0.5 }, 'trim', 'got 0.5'],
    [{ epoch: 3 }, 'options', 'epoch'],
    ['fast', 'options', 'got "fast"'],
  ])('refuse %j', (given, name, why) => {
    const error = refusal(() => parseTrainingOptions(given));
    expect([error.code, error.message]).toEqual(['USAGE', `the training option ${name} is not valid`]);
    expect(error.why).toContain(why);
    expect(error.fix).not.toBe('');
  });

  test.each([
    [{ deterministic: true, localSteps: 8 }, 'deterministic training needs every gradient', 'localSteps is 8'],
    [{ deterministic: true, compression: 'topk:1%' }, 'deterministic training cannot use top-k', 'kept on the node'],
    [{ aggregator: 'median', compression: 'topk:1%' }, 'a robust aggregator cannot use top-k', 'median of gradients'],
    [{ aggregator: 'trimmed-mean', trim: 0 }, 'a trimmed mean that drops so little is a mean', 'trim is 0'],
    [{ aggregator: 'median', batch: 2 }, 'a robust aggregator needs more shards', 'batch is 2, and the median needs 3'],
    [{ deterministic: true, batch: 4 }, 'a batch cannot have more virtual shards', 'virtualShards is 8, batch is 4'],
  ])('refuse together %j', (given, what, why) => {
    const error = refusal(() => parseTrainingOptions(given));
    expect(error.code).toBe('USAGE');
    expect(error.message).toContain(what);
    expect(error.why).toContain(why);
    expect(error.fix).not.toBe('');
  });

  test('allow a robust aggregator with local steps', () => {
    expect(parseTrainingOptions({ aggregator: 'median', localSteps: 16 }).localSteps).toBe(16);
  });

  test.each([
    [{ compression: 'none' }, false],
    [{ compression: 'bf16' }, false],
    [{ compression: 'int8' }, true],
    [{ compression: 'int8', deterministic: true }, false],
    [{ compression: 'topk:1%' }, true],
  ])('%j keep a residual: %s', (given, kept) => {
    expect(keepsResidual(parseTrainingOptions(given))).toBe(kept);
  });
});

describe('the learning rate', () => {
  const at = (given: object, step: number, total = 100): number =>
    learningRateAt(parseTrainingOptions({ learningRate: 0.5, ...given }), step, total);

  test('warms up in a line to its peak', () => {
    expect([0, 1, 3, 4].map((step) => at({ warmupSteps: 4, schedule: 'constant' }, step))).toEqual([
      0.125, 0.25, 0.5, 0.5,
    ]);
  });

  test('falls along half a cosine', () => {
    for (let step = 0; step <= 120; step += 1) {
      const done = Math.min(1, Math.max(0, (step - 20) / 80));
      const expected = step < 20 ? (0.5 * (step + 1)) / 20 : 0.25 * (1 + Math.cos(Math.PI * done));
      expect(Math.abs(at({ warmupSteps: 20 }, step) - expected)).toBeLessThan(1e-15);
    }
    expect(at({}, 50)).toBe(0.25);
    expect(at({}, 100)).toBe(0);
  });

  test('falls in steps', () => {
    const given = { schedule: 'step', stepEvery: 10, stepFactor: 0.5, warmupSteps: 5 };
    expect([5, 14, 15, 25, 45].map((step) => at(given, step))).toEqual([0.5, 0.5, 0.25, 0.125, 0.03125]);
  });

  test('is a number for a training of no steps', () => {
    expect(at({}, 0, 0)).toBe(0.5);
  });
});
