import { expect, test } from '@jest/globals';
import { cpuTimeMs, cpuTimeOf } from '../src/broker-cpu.ts';
import { dueTimesMs, paced } from '../src/pace.ts';

test('slices are due at a steady rate', () => {
  expect(dueTimesMs({ perSecond: 10_000, slice: 64, count: 256 })).toEqual([0, 6.4, 12.8, 19.2]);
});

test('a last slice that is not full is one', () => {
  expect(dueTimesMs({ perSecond: 100, slice: 10, count: 21 })).toHaveLength(3);
});

test('nothing is sent before it is due, and everything is sent', async () => {
  const due = [0, 5, 10];
  const startMs = performance.now();
  const sentMs: number[] = [];
  await paced(due, () => sentMs.push(performance.now() - startMs));
  expect(sentMs).toHaveLength(due.length);
  // A timer may be a millisecond early, and the rest of one is not waited for.
  due.forEach((dueMs, at) => expect(sentMs[at]).toBeGreaterThanOrEqual(dueMs - 2));
});

test('what is late does not move what comes behind it', async () => {
  let sent = 0;
  await paced([-3000, -2000, -1000], () => (sent += 1));
  expect(sent).toBe(3);
});

test('the time of a process is what it used in its own name and in the name of the system', () => {
  const stat = '42 (beam (x) smp) S 1 42 42 0 -1 4194304 9 0 0 0 150 25 0 0 20 0 30 0 100 0 0';
  expect(cpuTimeOf(stat)).toBe(1750);
});

test('a process that is not there has no time', () => {
  expect(cpuTimeMs(undefined)).toBeNull();
});
