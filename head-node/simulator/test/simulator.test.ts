import { describe, expect, test } from '@jest/globals';
import {
  describeViolation,
  faultKinds,
  parseFaults,
  plants,
  runSeed,
  type Plant,
  type SeedOutcome,
} from '@muster/simulator';

const faults = [...faultKinds];

/** Seeds from 1 on, until one breaks an invariant. */
function firstViolation(plant: Plant | null, seeds: number): SeedOutcome | null {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const outcome = runSeed({ seed, faults, plant });
    if (outcome.violation !== null) return outcome;
  }
  return null;
}

const told = (outcome: SeedOutcome | null, plant: Plant | null = null): string | null =>
  outcome === null ? null : describeViolation(outcome, { faults, plant });

describe('the simulator', () => {
  test('a cluster without faults breaks no invariant', () => {
    for (let seed = 1; seed <= 20; seed += 1) expect(told(runSeed({ seed, faults: [] }))).toBeNull();
  });

  test('100 seeds of faults break no invariant', () => {
    expect(told(firstViolation(null, 100))).toBeNull();
  });

  test('the same seed is the same history', () => {
    const [once, again, other] = [7, 7, 8].map((seed) => runSeed({ seed, faults }));
    expect(again).toEqual(once);
    expect(other?.hash).not.toBe(once?.hash);
  });

  test.each(plants)('the planted bug %s is found within 1000 seeds', (plant) => {
    const found = firstViolation(plant, 1000);
    expect(found?.violation?.last.length).toBeGreaterThan(0);
    expect(told(found, plant)).toContain(`npm run sim -- --seed ${found?.seed} --plant ${plant}`);
  });
});

describe('--faults', () => {
  test('all, none, or a list', () => {
    expect(parseFaults('all')).toEqual(faultKinds);
    expect(parseFaults('none')).toEqual([]);
    expect(parseFaults('gap,liar')).toEqual(['gap', 'liar']);
  });

  test('refuses what it does not know', () => {
    expect(() => parseFaults('gap,gremlins')).toThrow('there is no such fault');
  });
});
