import { describe, expect, test } from '@jest/globals';
import type { SessionId, TaskId } from '@muster/shared';
import { settledMessages, Settlements, type Settlement } from '../../src/core/settlements.ts';

const task = '0123456789abcdef' as TaskId;
const session = 'a'.repeat(32) as SessionId;

const of = (lease: number, change: Partial<Settlement> = {}): Settlement => ({ session, task, lease, ...change });
const nothing = (): boolean => false;

describe('a settlement', () => {
  test('waits for others, and the first of them says so', () => {
    const settlements = new Settlements();
    expect([1, 2, 3].map((lease) => settlements.add(of(lease)))).toEqual([true, false, false]);
    expect(settlements.take()).toEqual([of(1), of(2), of(3)]);
    expect(settlements.add(of(4))).toBe(true);
  });

  test('is open until the journal has it', () => {
    const settlements = new Settlements();
    settlements.add(of(1));
    const batch = settlements.take();
    expect(settlements.has(1)).toBe(true);
    expect(settlements.written(batch, nothing)).toEqual(batch);
    expect(settlements.has(1)).toBe(false);
  });

  test('of a lease that was settled again since, or taken up again, does not hold', () => {
    const settlements = new Settlements();
    for (const lease of [1, 2, 3]) settlements.add(of(lease));
    const first = settlements.take();
    settlements.add(of(1));
    expect(settlements.written(first, (lease) => lease === 2)).toEqual([of(3)]);
    expect([1, 2, 3].map((lease) => settlements.has(lease))).toEqual([true, false, false]);
    expect(settlements.written(settlements.take(), nothing)).toEqual([of(1)]);
  });
});

test('each session hears of a task once, and nobody for a provider that is not here', () => {
  const [other, others] = ['f'.repeat(16) as TaskId, 'b'.repeat(32) as SessionId];
  const settlements = [of(1), of(2, { task: other }), of(3, { session: others }), of(4, { session: null }), of(5)];
  expect(settledMessages(settlements)).toEqual([
    { session, task, leases: [1, 5] },
    { session, task: other, leases: [2] },
    { session: others, task, leases: [3] },
  ]);
});
