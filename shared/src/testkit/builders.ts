import type { DeviceFacts } from '../protocol/messages.ts';
import type { NodeFacts } from '../tasks/task-type.ts';
import { parseEchoSpec, type EchoSpec } from '../tasks/echo/spec.ts';
import { parseMatrixMultSpec, type MatrixMultSpec } from '../tasks/matrix-mult/spec.ts';

/** One core of a desktop computer. */
export const deviceFacts = (facts: Partial<DeviceFacts> = {}): DeviceFacts => ({
  kind: 'cpu',
  label: 'test CPU',
  threads: 1,
  memoryBytes: 8 * 2 ** 30,
  gflops: { float32: 90, float64: 44, int8: 380 },
  refused: [],
  ...facts,
});

/** A node with that core on a gigabit link. */
export const nodeFacts = (facts: Partial<NodeFacts> = {}): NodeFacts => ({
  gflops: { float32: 90, float64: 44, int8: 380 },
  memoryBytes: 8 * 2 ** 30,
  linkBytesPerMs: 118_000,
  ...facts,
});

export const matrixMultSpec = (fields: Partial<MatrixMultSpec> = {}): MatrixMultSpec =>
  parseMatrixMultSpec({ m: 64, k: 48, n: 80, dtype: 'float32', grid: 'auto', ...fields });

export const echoSpec = (fields: Partial<EchoSpec> = {}): EchoSpec => parseEchoSpec({ count: 100, ...fields });
