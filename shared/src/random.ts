/** Uniform random numbers in [0, 1). The only source of randomness a core ever sees. */
export type Random = () => number;

/** Read once: tests run in a realm of their own, where each look-up of a global costs as much as the rest of a random number. */
const { imul } = Math;

/**
 * mulberry32: 32 bits of state, passes the usual small tests, and the same numbers on every machine.
 * For test data, jitter and simulation, never for secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
