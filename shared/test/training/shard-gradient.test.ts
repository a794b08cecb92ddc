import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  initialWeights,
  microBatches,
  packBlock,
  parseModel,
  presetModel,
  ShardGradient,
  viewBlock,
  type GraphRunner,
  type SampleLayout,
  type ShardWork,
} from '@muster/shared';

const SAMPLES = 3000;
const model = parseModel({ name: 'line', input: [1], layers: [{ type: 'dense', units: 1 }], loss: 'meanSquaredError' });
const layout: SampleLayout = {
  features: [1],
  featureType: 'float32',
  scale: 1,
  shift: 0,
  target: { kind: 'values', width: 1 },
  samplesPerBlock: 500,
};
const numbers = Float32Array.from({ length: SAMPLES }, (_, at) => at);
const blockAt = (number: number) =>
  viewBlock(layout, packBlock(layout, { features: numbers, targets: numbers }, [500 * number, 500 * (number + 1)]));
const set = 'the first';
const shard: ShardWork = {
  kind: 'gradient',
  seed: 1,
  epoch: 0,
  step: 0,
  samples: SAMPLES,
  from: 0,
  to: SAMPLES,
  local: null,
};

/** Its gradient is the sum of the samples and their number: whole numbers, so that any order gives the same. */
function summing(sizes: number[]): GraphRunner {
  return {
    run: async ({ X }) => {
      const { elements } = X!;
      sizes.push(elements.length);
      const sum = elements.reduce((total, value) => total + value, 0);
      return {
        loss: new Float32Array([sum]),
        correct: new Float32Array([1]),
        gradient: new Float32Array([sum, elements.length]),
      };
    },
  };
}

describe('parts of a shard', () => {
  test('are even, cover it in order, and are bounded', () => {
    const models = [model, presetModel('lenet', { input: [1, 28, 28], classes: 10 })];
    fc.assert(
      fc.property(fc.constantFrom(...models), fc.integer({ min: 1, max: 20_000 }), (of, samples) => {
        const parts = microBatches(of, samples);
        const sizes = parts.map(({ from, to }) => to - from);
        expect(parts.map(({ from }) => from)).toEqual([0, ...parts.slice(0, -1).map(({ to }) => to)]);
        expect(parts.at(-1)!.to).toBe(samples);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect(Math.max(...sizes)).toBeLessThanOrEqual(of === model ? 1024 : 300);
      }),
    );
  });

  test('are added up', async () => {
    const sizes: number[] = [];
    const gradient = new ShardGradient({ model, layout, open: async () => summing(sizes) });
    const sums = await gradient.run(shard, { weights: initialWeights(model, 1), set, blockAt });
    const total = (SAMPLES * (SAMPLES - 1)) / 2;
    expect(sums).toMatchObject({ samples: SAMPLES, correct: 3, loss: total });
    expect([...sums.vector]).toEqual([total, SAMPLES]);
    expect(sizes).toEqual([1000, 1000, 1000]);
  });
});

test('a graph that did not open is opened again', async () => {
  let opened = 0;
  const open = async (): Promise<GraphRunner> => {
    opened += 1;
    if (opened === 1) throw new Error('no memory');
    return summing([]);
  };
  const gradient = new ShardGradient({ model, layout, open });
  const inputs = { weights: initialWeights(model, 1), set, blockAt };
  await expect(gradient.run(shard, inputs)).rejects.toThrow('no memory');
  await expect(gradient.run(shard, inputs)).resolves.toMatchObject({ samples: SAMPLES });
});

test('weights of another model are refused', async () => {
  const gradient = new ShardGradient({ model, layout, open: async () => summing([]) });
  await expect(gradient.run(shard, { weights: new Float32Array(3), set, blockAt })).rejects.toMatchObject({
    code: 'SHAPE_MISMATCH',
    why: 'it has 2 parameters, there are 3 weights',
  });
});

describe('samples gathered ahead', () => {
  const inputs = { weights: initialWeights(model, 1), set, blockAt };
  const at = (from: number, to: number, epoch = 0): ShardWork => ({ ...shard, from, to, epoch });
  const notAsked = (number: number): never => {
    throw new Error(`block ${number} was asked for`);
  };
  const opened = (): ShardGradient => new ShardGradient({ model, layout, open: async () => summing([]) });

  test('are those of the next shard, also where it is cut a little otherwise, and nothing is read for it', async () => {
    const [ahead, plain] = [opened(), opened()];
    for (const gradient of [ahead, plain])
      for (const from of [0, 640]) await gradient.run(at(from, from + 320), inputs);
    ahead.gatherAhead({ set, blockAt });
    for (const [from, to] of [
      [1280, 1600],
      [1275, 1608],
      [1289, 1591],
    ] as const) {
      const sums = await ahead.run(at(from, to), { ...inputs, blockAt: notAsked });
      expect([...sums.vector]).toEqual([...(await plain.run(at(from, to), inputs)).vector]);
    }
  });

  test.each([
    ['in another place', at(0, 320)],
    ['longer', at(1280, 1800)],
    ['of another epoch', at(1280, 1600, 1)],
  ])('are left where the next shard is %s', async (_, next) => {
    const [ahead, plain] = [opened(), opened()];
    for (const from of [0, 640]) await ahead.run(at(from, from + 320), inputs);
    ahead.gatherAhead({ set, blockAt });
    const sums = await ahead.run(next, inputs);
    expect([...sums.vector]).toEqual([...(await plain.run(next, inputs)).vector]);
  });

  test('are none of a shard that stands alone, nor behind the end of the epoch', async () => {
    const gradient = opened();
    await gradient.run(at(2680, 2800), inputs);
    gradient.gatherAhead({ set, blockAt: notAsked });
    await gradient.run(at(2840, 3000), inputs);
    gradient.gatherAhead({ set, blockAt: notAsked });
    expect(() => gradient.gatherAhead({ set, blockAt: notAsked })).not.toThrow();
  });

  test.each([
    ['of the same samples', at(640, 960)],
    ['of those that were gathered ahead', at(1280, 1600)],
  ])('are none of another set, whose next shard is %s', async (_, next) => {
    const [shared, plain] = [opened(), opened()];
    for (const from of [0, 640]) await shared.run(at(from, from + 320), inputs);
    if (next.from > 640) shared.gatherAhead({ set, blockAt });
    const doubled = numbers.map((value) => 2 * value);
    const other = {
      ...inputs,
      set: 'the second',
      blockAt: (number: number) =>
        viewBlock(
          layout,
          packBlock(layout, { features: doubled, targets: doubled }, [500 * number, 500 * (number + 1)]),
        ),
    };
    const [[sum], [half]] = [(await shared.run(next, other)).vector, (await plain.run(next, inputs)).vector];
    expect(sum).toBe(2 * half!);
  });
});
