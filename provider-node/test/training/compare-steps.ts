import { expect } from '@jest/globals';
import { elementCount, type Model, parameters, trainingStep } from '@muster/shared';
import { runGraph } from './run-graph.ts';
import { stepInputs, type StepOptions } from './step-fixture.ts';
import { tfjsStep } from './tfjs-oracle.ts';

const RELATIVE = 1e-5;

/** Both devices' graphs, run on the CPU, against TensorFlow.js. */
export async function compareSteps(model: Model, options: StepOptions): Promise<void> {
  const inputs = stepInputs(model, options);
  const expected = tfjsStep(model, inputs);
  expect(expected.gradient.some((value) => value !== 0)).toBe(true);
  for (const device of ['cpu', 'gpu'] as const) {
    const { loss, gradient } = await runGraph(trainingStep(model, { device }), inputs);
    expect(Math.abs(loss![0]! / expected.loss - 1)).toBeLessThan(RELATIVE);
    expect(parametersApart(model, RELATIVE, { actual: gradient!, expected: expected.gradient })).toEqual([]);
  }
}

/** Parameters whose gradients differ somewhere by more than `relative` times the largest gradient of the parameter. */
export function parametersApart(
  model: Model,
  relative: number,
  { actual, expected }: { actual: Float32Array; expected: Float32Array },
): [name: string, worst: number][] {
  const rows = parameters(model).map(({ name, offset, shape }): [string, number] => {
    const end = offset + elementCount(shape);
    const [a, e] = [actual.subarray(offset, end), expected.subarray(offset, end)];
    const scale = e.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-3);
    return [name, a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - e[i]!)), 0) / scale];
  });
  return rows.filter(([, worst]) => !(worst < relative));
}
