import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { OnnxKind } from '../../src/compute/compute-protocol.ts';
import { sessionOptions } from '../../src/compute/backends/onnx-options.ts';

export interface FloatTensor {
  readonly values: Float32Array;
  readonly dims: readonly number[];
}

export type FloatTensors = Record<string, FloatTensor>;

/** One run of a graph of float32 tensors, one thread. */
export async function runGraph(
  graph: Uint8Array,
  inputs: FloatTensors,
  kind: OnnxKind = 'cpu',
): Promise<Record<string, Float32Array>> {
  const session = await InferenceSession.create(graph, sessionOptions(kind, 1));
  const outputs = await session.run(tensors(inputs));
  await session.release();
  return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data as Float32Array]));
}

export const tensors = (inputs: FloatTensors): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, { values, dims }]) => [name, new Tensor('float32', values, dims)]),
  );
