import { describe, expect, test } from '@jest/globals';
import { seededRandom } from '@muster/shared';
import { deviceFacts, manualClock, maxAbsError, naiveProduct, randomMatrix, waitUntil } from '@muster/shared/testkit';
import { deviceFacts as deviceFactsSchema } from '../../src/protocol/messages.ts';

describe('the test kit', () => {
  test('moves a clock only by hand', () => {
    const clock = manualClock(100);
    expect(clock.nowMs()).toBe(100);
    clock.advance(50);
    expect(clock.nowMs()).toBe(150);
  });

  test('waits for a value', async () => {
    let asked = 0;
    expect(await waitUntil(() => (++asked < 3 ? null : asked), { what: 'three questions' })).toBe(3);
    expect(await waitUntil(async () => 0, { what: 'zero is a value' })).toBe(0);
  });

  test('takes a condition that throws as one that does not hold yet', async () => {
    let asked = 0;
    const third = (): boolean => {
      if (++asked < 3) throw new Error('not yet');
      return true;
    };
    await expect(waitUntil(third, { what: 'the third question' })).resolves.toBe(true);
  });

  test('says what it waited for, and why it did not come', async () => {
    const never = (): boolean => {
      throw new Error('refused');
    };
    const failure = await waitUntil(never, { what: 'a connection', timeoutMs: 1 }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: 'waited 1 ms in vain: a connection', cause: { message: 'refused' } });
  });

  test('builds facts that the protocol accepts', () => {
    expect(deviceFactsSchema.safeParse(deviceFacts({ threads: 4 })).success).toBe(true);
  });

  test('multiplies', () => {
    const product = naiveProduct(
      { a: Float32Array.of(1, 2, 3, 4, 5, 6), b: Float32Array.of(1, 0, 0, 1, 1, 1) },
      [2, 3, 2],
    );
    expect(Array.from(product)).toEqual([4, 5, 10, 11]);
  });

  test('compares', () => {
    expect(maxAbsError(Float32Array.of(1, 2, 3), Float64Array.of(1, 2.5, 2))).toBe(1);
    expect(maxAbsError(Float32Array.of(1), Float32Array.of(1, 2))).toBe(Infinity);
    expect(maxAbsError(Float32Array.of(1, NaN), Float32Array.of(1, 2))).toBeNaN();
  });

  test('draws matrices of any type from a seed', () => {
    expect(randomMatrix('float64', 50, seededRandom(1))).toEqual(randomMatrix('float64', 50, seededRandom(1)));
    const whole = randomMatrix('int8', 10_000, seededRandom(1));
    expect([Math.min(...whole), Math.max(...whole)]).toEqual([-128, 127]);
  });
});
