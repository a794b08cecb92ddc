import { describe, expect, test } from '@jest/globals';
import { seededRandom } from '@muster/shared';
import { maxAbsError, naiveProduct, randomMatrix } from '@muster/shared/testkit';
import { plainProduct, timePlainProduct } from '../src/baselines/plain-js.ts';
import { multiplyInProcess } from '../src/index.ts';

const n = 65;
const a = randomMatrix('float32', n * n, seededRandom(1));
const b = randomMatrix('float32', n * n, seededRandom(2));
const expected = Float32Array.from(naiveProduct({ a, b }, [n, n, n]));
const bound = 4 * 2 ** -24 * n * 0.25;

describe('baselines', () => {
  test('ONNX Runtime multiplies in this process', async () => {
    const { product, ms } = await multiplyInProcess(a, b, n);
    expect(maxAbsError(product, expected)).toBeLessThan(bound);
    expect(ms).toBeGreaterThan(0);
  });

  test('plain loops give the same, whole or some rows of it', () => {
    expect(maxAbsError(plainProduct(a, b, { n, rows: n }), expected)).toBeLessThan(bound);
    expect(maxAbsError(plainProduct(a, b, { n, rows: 7 }), expected.subarray(0, 7 * n))).toBeLessThan(bound);
  });

  test('a small plain product is timed whole', () => {
    expect(timePlainProduct(a, b, n)).toEqual({ ms: expect.any(Number), rows: n });
  });
});
