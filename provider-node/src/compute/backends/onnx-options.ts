import type { InferenceSession } from 'onnxruntime-node';
import type { OnnxKind } from '../compute-protocol.ts';

export type SessionOptions = InferenceSession.SessionOptions;

/** By default ORT's waiting threads spin: 68 % of a core for a load that needs 7 %. */
const NO_SPINNING = { session: { intra_op: { allow_spinning: '0' } } };

/**
 * A single execution provider: with a second one in the list, operators that the GPU cannot run would go unnoticed, and a missing GPU
 * throws either way. The arena is off because it only grows while tile sizes vary; the rate is the same.
 */
export function sessionOptions(kind: OnnxKind, threads: number): SessionOptions {
  return {
    executionProviders: [executionProvider(kind)],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    enableCpuMemArena: false,
    // DirectML refuses memory patterns; the others gain nothing from them when shapes change.
    enableMemPattern: false,
    executionMode: 'sequential',
    logSeverityLevel: 4,
    extra: NO_SPINNING,
  };
}

/** Training steps repeat the same sizes, for which the arena pays off. */
export const trainingOptions = (kind: OnnxKind, threads: number): SessionOptions => ({
  ...sessionOptions(kind, threads),
  enableCpuMemArena: true,
});

function executionProvider(kind: OnnxKind): InferenceSession.ExecutionProviderConfig {
  // The default layout, NHWC, gives wrong convolutions for 6 or 9 input channels (microsoft/onnxruntime#29651).
  return kind === 'webgpu' ? { name: 'webgpu', preferredLayout: 'NCHW' } : kind;
}
