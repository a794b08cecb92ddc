import { expect, test } from '@jest/globals';
import { learn, learnedRates, usedRates } from '../../src/core/learned-rates.ts';

const rates = () => learnedRates({ float32: 100, float64: 50, int8: 400 });
const tileAt = (gflops: number): readonly [number, number] => [gflops * 1e6 * 10, 10];

test('plans keep the calibrated rate while results agree with it', () => {
  const learned = rates();
  for (let at = 0; at < 50; at += 1) learn(learned.float32, ...tileAt(110));
  expect(usedRates(learned).float32).toBe(100);
});

test('a node that turns out twice as fast is planned for as such', () => {
  const learned = rates();
  for (let at = 0; at < 50; at += 1) learn(learned.float32, ...tileAt(200));
  expect(usedRates(learned).float32).toBeGreaterThan(150);
  expect(usedRates(learned).float64).toBe(50);
});

test('what takes less than two milliseconds teaches nothing', () => {
  const learned = rates();
  for (let at = 0; at < 50; at += 1) learn(learned.float32, 1e9, 1);
  expect(learned.float32.average).toBe(100);
});
