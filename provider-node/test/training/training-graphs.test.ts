import { describe, expect, test } from '@jest/globals';
import { evaluation, exportModel, forward, outputCount, parseModel, trainingStep, type Model } from '@muster/shared';
import { everything, lenet, mlp, pieces } from './models.ts';
import { runGraph, type FloatTensor, type FloatTensors } from './run-graph.ts';
import { stepInputs } from './step-fixture.ts';

const step = trainingStep(mlp, { device: 'cpu' });

/** Rows `from` to `to` of the samples and their targets. */
function rows({ weights, X, Y }: FloatTensors, from: number, to: number): FloatTensors {
  const cut = ({ values, dims: [count = 1, ...dims] }: FloatTensor): FloatTensor => {
    const each = values.length / count;
    return { values: values.slice(from * each, to * each), dims: [to - from, ...dims] };
  };
  return { weights: weights!, X: cut(X!), Y: cut(Y!) };
}

/** Without dropout all masks are 1. */
function withoutMasks(inputs: FloatTensors): FloatTensors {
  const masks = Object.entries(inputs).filter(([name]) => name.startsWith('mask:'));
  const ones = masks.map(([name, { dims, values }]): [string, FloatTensor] => [
    name,
    { dims, values: new Float32Array(values.length).fill(1) },
  ]);
  return { ...inputs, ...Object.fromEntries(ones) };
}

const unmasked = ({ weights, X, Y }: FloatTensors): FloatTensors => ({ weights: weights!, X: X!, Y: Y! });

function close(actual: Float32Array, expected: Float32Array): void {
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-6);
  const worst = actual.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
  expect(actual).toHaveLength(expected.length);
  expect(worst / scale).toBeLessThan(1e-5);
}

describe('a training step', () => {
  test('gives sums, so that the steps of parts add up to the step of the whole', async () => {
    const inputs = stepInputs(mlp, { samples: 12, seed: 1 });
    const whole = await runGraph(step, inputs);
    const parts = [await runGraph(step, rows(inputs, 0, 5)), await runGraph(step, rows(inputs, 5, 12))];
    for (const name of ['loss', 'correct', 'gradient']) {
      const [a, b] = parts.map((part) => part[name]!);
      close(
        a!.map((value, i) => value + b![i]!),
        whole[name]!,
      );
    }
  });

  test('counts samples without a target for nothing', async () => {
    const inputs = stepInputs(mlp, { samples: 6, seed: 2 });
    const targets = inputs['Y']!.values.slice();
    targets.fill(0, 4 * 10);
    const filled = await runGraph(step, { ...inputs, Y: { values: targets, dims: [6, 10] } });
    const four = await runGraph(step, rows(inputs, 0, 4));
    for (const name of ['loss', 'correct', 'gradient']) close(filled[name]!, four[name]!);
  });

  test('has the gradient that the loss has by central differences', async () => {
    const model = pieces['gelu']!;
    const inputs = stepInputs(model, { samples: 4, seed: 3 });
    const graph = trainingStep(model, { device: 'cpu' });
    const { gradient } = await runGraph(graph, inputs);
    const { values, dims } = inputs['weights']!;
    const lossAt = async (index: number, shift: number): Promise<number> => {
      const moved = values.slice();
      moved[index]! += shift;
      return (await runGraph(graph, { ...inputs, weights: { values: moved, dims } }))['loss']![0]!;
    };
    for (let index = 0; index < values.length; index += 7) {
      const slope = ((await lossAt(index, 0.01)) - (await lossAt(index, -0.01))) / 0.02;
      expect(Math.abs(slope - gradient![index]!)).toBeLessThan(0.01);
    }
  });

  test('says nothing about right or wrong in a regression', async () => {
    const model = pieces['mean squared error']!;
    const { correct } = await runGraph(
      trainingStep(model, { device: 'cpu' }),
      stepInputs(model, { samples: 4, seed: 4 }),
    );
    expect(correct).toEqual(Float32Array.of(0));
  });
});

describe('correct', () => {
  const model = parseModel({
    name: 'identity',
    input: [3],
    layers: [{ type: 'dense', units: 3 }],
    loss: 'crossEntropy',
  });
  /** The outputs are the inputs. */
  const weights = { values: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0), dims: [12] };

  test.each<[string, { x: number[]; y: number[]; expected: number }]>([
    ['the largest output at the target', { x: [1, 5, 2], y: [0, 1, 0], expected: 1 }],
    ['the largest output elsewhere', { x: [1, 5, 2], y: [0, 0, 1], expected: 0 }],
    ['equal outputs, the target first', { x: [2, 2, 2], y: [1, 0, 0], expected: 1 }],
    ['equal outputs, the target not first', { x: [2, 2, 2], y: [0, 1, 0], expected: 0 }],
    ['probabilities as target', { x: [1, 5, 2], y: [0.2, 0.5, 0.3], expected: 1 }],
    ['probabilities as target, the larger one elsewhere', { x: [1, 5, 2], y: [0.5, 0.2, 0.3], expected: 0 }],
    ['no target', { x: [1, 5, 2], y: [0, 0, 0], expected: 0 }],
  ])('for %s', async (_, { x, y, expected }) => {
    const sample = (values: number[]): FloatTensor => ({ values: Float32Array.from(values), dims: [1, 3] });
    const { correct } = await runGraph(evaluation(model), { weights, X: sample(x), Y: sample(y) });
    expect(correct).toEqual(Float32Array.of(expected));
  });
});

describe.each<[string, Model]>([['mlp', mlp], ['lenet', lenet], ['everything', everything], ...Object.entries(pieces)])(
  '%s',
  (_, model) => {
    const inputs = stepInputs(model, { samples: 3, seed: 5, picture: 'patches' });

    test('is evaluated as it is trained, but nothing is dropped', async () => {
      const trained = await runGraph(trainingStep(model, { device: 'cpu' }), withoutMasks(inputs));
      const evaluated = await runGraph(evaluation(model), unmasked(inputs));
      close(evaluated['loss']!, trained['loss']!);
      expect(evaluated['correct']).toEqual(trained['correct']);
    });

    test('gives the same output from the exported model', async () => {
      const { weights, X } = inputs;
      const { output } = await runGraph(forward(model), { weights: weights!, X: X! });
      const exported = await runGraph(exportModel(model, weights!.values), { X: X! });
      expect(output).toHaveLength(3 * outputCount(model));
      expect(new Set(output).size).toBeGreaterThan(1);
      close(exported['output']!, output!);
    });
  },
);
