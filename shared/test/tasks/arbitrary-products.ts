import { operandDtypes, type NodeFacts } from '@muster/shared';
import { matrixMultSpec, nodeFacts } from '@muster/shared/testkit';
import * as fc from 'fast-check';

export const node = (float32: number, facts: Partial<NodeFacts> = {}): NodeFacts =>
  nodeFacts({ gflops: { float32, float64: float32 / 2, int8: float32 * 4 }, ...facts });

export const side = fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.constantFrom(1, 64, 512, 513, 4096, 20_000, 65_536));
const grid = fc.oneof(
  fc.constantFrom('auto', '1d', '2d'),
  fc
    .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
    .map(([rows, columns]) => `${rows}x${columns}`),
);
export const specs = fc
  .record({ m: side, k: side, n: side, dtype: fc.constantFrom(...operandDtypes), grid })
  .map((fields) => matrixMultSpec(fields));
export const speed = fc.double({ min: 30, max: 300, noNaN: true });
const link = fc.constantFrom(12_000, 118_000, 1_150_000, 5_000_000);
const memory = fc.constantFrom(40 * 2 ** 20, 512 * 2 ** 20, 16 * 2 ** 30);
export const nodes = fc.array(
  fc.record({ speed, linkBytesPerMs: link, memoryBytes: memory }).map(({ speed: rate, ...facts }) => node(rate, facts)),
  { minLength: 1, maxLength: 50 },
);
