import { describe, expect, test } from '@jest/globals';
import { Limiter } from '@muster/shared';
import { resolved } from '@muster/shared/testkit';

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
