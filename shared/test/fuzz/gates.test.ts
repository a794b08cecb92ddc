import { describe, expect, test } from '@jest/globals';
import { isMusterError, seededRandom } from '@muster/shared';
import { gates, type Gate } from './gates.ts';
import { mutate } from './mutate.ts';

/** Of each gate. `npm run fuzz` sets more, and another seed. */
const CASES = Number(process.env['FUZZ_CASES'] ?? 1000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
/** A gate that takes longer over a few hundred bytes hangs, or may be made to. */
const CASE_MAX_MS = 1000;
const GROWTH_MAX_BYTES = 256 * 2 ** 20;
const LIMIT_MS = 5000 + CASES;

/** What the gate did that it must not do, with the bytes that made it; null for nothing. */
function misdeed({ enter }: Gate, bytes: Uint8Array): object | null {
  const startedMs = performance.now();
  try {
    enter(new Uint8Array(bytes));
  } catch (error) {
    if (!isMusterError(error) || error.code === 'BUG') return { threw: String(error), hex: hexOf(bytes) };
  }
  const tookMs = performance.now() - startedMs;
  return tookMs > CASE_MAX_MS ? { tookMs, hex: hexOf(bytes) } : null;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe(`bytes of somebody else (${CASES} cases for each gate, seed ${SEED})`, () => {
  test.each(gates.map((gate) => [gate.name, gate] as const))(
    '%s: taken, or refused with a reason',
    (_, gate) => {
      const random = seededRandom(SEED);
      const before = process.memoryUsage().rss;
      let found: object | null = null;
      for (let run = 0; run < CASES && found === null; run += 1)
        found = misdeed(gate, mutate(gate.corpus[run % gate.corpus.length]!, random));
      expect(found).toBeNull();
      expect(process.memoryUsage().rss - before).toBeLessThan(GROWTH_MAX_BYTES);
    },
    LIMIT_MS,
  );

  test.each(gates.map((gate) => [gate.name, gate] as const))('%s: what is valid is taken', (_, gate) => {
    for (const bytes of gate.corpus) expect(() => gate.enter(new Uint8Array(bytes))).not.toThrow();
  });
});
