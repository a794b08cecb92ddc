import type { InferenceSession } from 'onnxruntime-node';

/**
 * The baseline on one thread: ONNX Runtime's defaults except for threads and spinning, the fastest here (one core at n = 4096: 641 ms;
 * without the arena 790; with B packed into the session beforehand 634, within the noise, so one baseline serves both kinds of operands).
 */
export const ONE_THREAD: InferenceSession.SessionOptions = {
  executionProviders: ['cpu'],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 4,
  extra: { session: { intra_op: { allow_spinning: '0' } } },
};
