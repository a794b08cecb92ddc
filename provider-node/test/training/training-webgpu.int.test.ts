import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import { trainingStep, type Model } from '@muster/shared';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { gpuTest, softwareGpu } from '../compute/software-gpu.ts';
import { parametersApart } from './compare-steps.ts';
import { everything, lenet, mlp } from './models.ts';
import { runGraph, type FloatTensors } from './run-graph.ts';
import { stepInputs } from './step-fixture.ts';

const RELATIVE = 1e-4;
const WEBGPU = 'WebGpuExecutionProvider';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

interface ProfiledRun {
  readonly outputs: Record<string, Float32Array>;
  readonly providers: Record<string, string[]>;
}

async function runOnWebGpu(graph: Uint8Array, inputs: FloatTensors): Promise<ProfiledRun> {
  const child = fork(join(import.meta.dirname, 'children', 'profiled-run.mjs'), {
    env: { ...process.env, ...softwareGpu },
    serialization: 'advanced',
  });
  let reply: ProfiledRun | undefined;
  child.once('message', (message) => (reply = message as ProfiledRun));
  child.send({ graph, inputs, kind: 'webgpu', directory: directories.make() });
  await once(child, 'exit');
  if (reply === undefined) throw new Error('the process ended without a reply; what it said stands above');
  return reply;
}

async function compareDevices(model: Model): Promise<void> {
  const inputs = stepInputs(model, { samples: 8, seed: 11, picture: 'patches' });
  const expected = await runGraph(trainingStep(model, { device: 'cpu' }), inputs);
  const { outputs, providers } = await runOnWebGpu(trainingStep(model, { device: 'gpu' }), inputs);
  expect(Object.keys(providers)).toEqual([WEBGPU]);
  expect(outputs['correct']).toEqual(expected['correct']);
  expect(Math.abs(outputs['loss']![0]! / expected['loss']![0]! - 1)).toBeLessThan(RELATIVE);
  const gradients = { actual: outputs['gradient']!, expected: expected['gradient']! };
  expect(parametersApart(model, RELATIVE, gradients)).toEqual([]);
}

const whole: Record<string, Model> = { mlp, lenet, everything };
for (const [name, model] of Object.entries(whole)) {
  gpuTest(`a step of ${name} runs wholly on WebGPU and equals the CPU's`, () => compareDevices(model), 120_000);
}
