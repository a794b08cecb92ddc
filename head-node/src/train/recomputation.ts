import {
  evaluation,
  ShardGradient,
  trainingStep,
  type GraphRunner,
  type Model,
  type ShardSums,
  type ShardWork,
} from '@muster/shared';
import { BlockFiles } from './block-files.ts';
import type { OpenRun } from './calls.ts';

/** Computes a shard here, from the weights that its round began with. */
export type Recompute = (shard: ShardWork, weights: Float32Array) => Promise<ShardSums>;

/** On one thread of this machine's CPU, with sessions that are opened when they are needed. */
export function recomputation({ spec: { model, layout }, trainPaths, testPaths }: OpenRun): Recompute {
  const shards = new ShardGradient({ model, layout, open: (kind) => openGraph(model, kind) });
  const sets = { gradient: new BlockFiles(layout, trainPaths), evaluate: new BlockFiles(layout, testPaths) };
  return (shard, weights) => {
    const set = shard.kind;
    return shards.run(shard, { weights, set, blockAt: (number) => sets[set].blockAt(number) });
  };
}

/** The runtime is loaded at the first audit: a head that trains nothing does without it. */
async function openGraph(model: Model, kind: ShardWork['kind']): Promise<GraphRunner> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const graph = kind === 'gradient' ? trainingStep(model, { device: 'cpu' }) : evaluation(model);
  const session = await InferenceSession.create(graph, {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  return {
    run: async (inputs) => {
      const tensors = Object.entries(inputs).map(
        ([name, { elements, dims }]) => [name, new Tensor('float32', elements, dims)] as const,
      );
      const { loss, correct, gradient } = await session.run(Object.fromEntries(tensors));
      return {
        loss: loss?.data as Float32Array,
        correct: correct?.data as Float32Array,
        ...(gradient && { gradient: gradient.data as Float32Array }),
      };
    },
  };
}
