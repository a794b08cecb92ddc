import { evaluation, trainingStep, type GraphTensor, type StepOutputs } from '@muster/shared';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { OnnxKind } from '../compute-protocol.ts';
import { trainingOptions } from './onnx-options.ts';
import type { OpenGraph, StepBackend } from './step-backend.ts';

/** Training steps by ORT sessions, one for each graph. */
export function onnxSteps(kind: OnnxKind, threads: number): StepBackend {
  const device = kind === 'cpu' ? 'cpu' : 'gpu';
  return {
    kind,
    open: async (model, of, { deterministic }) => {
      const graph = of === 'gradient' ? trainingStep(model, { device }) : evaluation(model);
      // One thread: the summation order of a CPU product depends on how its columns are split among threads.
      const options = trainingOptions(kind, deterministic ? 1 : threads);
      return openGraph(await InferenceSession.create(graph, options));
    },
  };
}

const openGraph = (session: InferenceSession): OpenGraph => ({
  run: (inputs) => runGraph(session, inputs),
  release: () => void session.release(),
});

/** Inputs are read in place; outputs are always in fresh memory, see onnx-multiplier.ts. */
async function runGraph(
  session: InferenceSession,
  inputs: Readonly<Record<string, GraphTensor>>,
): Promise<StepOutputs> {
  const feeds: Record<string, Tensor> = {};
  for (const [name, { elements, dims }] of Object.entries(inputs)) feeds[name] = new Tensor('float32', elements, dims);
  const { loss, correct, gradient } = await session.run(feeds);
  return {
    loss: loss?.data as Float32Array,
    correct: correct?.data as Float32Array,
    ...(gradient && { gradient: gradient.data as Float32Array }),
  };
}
