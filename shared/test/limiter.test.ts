import { describe, expect, test } from '@jest/globals';
import { Limiter } from '@muster/shared';

/** How many of the promises have resolved by now. */
async function resolved(promises: readonly Promise<unknown>[]): Promise<number> {
  let count = 0;
  for (const promise of promises) void promise.then(() => (count += 1));
  await new Promise((resolve) => setImmediate(resolve));
  return count;
}

describe('Limiter', () => {
  test('lets in what fits, in order', async () => {
    const limiter = new Limiter(3);
    const entered = [limiter.enter(2), limiter.enter(2), limiter.enter(1)];
    // The third would fit, but does not overtake.
    expect(await resolved(entered)).toBe(1);
    limiter.leave(2);
    expect(await resolved(entered)).toBe(3);
  });

  test('what is larger than everything enters alone', async () => {
    const limiter = new Limiter(3);
    const entered = [limiter.enter(1), limiter.enter(9), limiter.enter(1)];
    expect(await resolved(entered)).toBe(1);
    limiter.leave(1);
    expect(await resolved(entered)).toBe(2);
    limiter.leave(9);
    expect(await resolved(entered)).toBe(3);
  });
});
