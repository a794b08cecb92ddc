import { describe, expect, test } from '@jest/globals';
import { LeaseCopies, type LeaseCopy } from '../../src/core/lease-copies.ts';

function setUp(): { copies: LeaseCopies; copy: (name: string) => LeaseCopy; acked: string[] } {
  const acked: string[] = [];
  return { copies: new LeaseCopies(), copy: (name) => ({ ack: () => void acked.push(name) }), acked };
}

describe('a copy of a lease', () => {
  test('stays until its result is with the broker', () => {
    const { copies, copy, acked } = setUp();
    copies.add(1, copy('a'), true);
    expect([acked, copies.hasResult(1)]).toEqual([[], false]);
    copies.delivered(1);
    expect([acked, copies.hasResult(1)]).toEqual([['a'], true]);
  });

  test('of a lease that is not held is acknowledged at once', () => {
    const { copies, copy, acked } = setUp();
    copies.add(1, copy('a'), false);
    expect(acked).toEqual(['a']);
  });

  test('that comes again takes the place of the earlier one, also behind the result', () => {
    const { copies, copy, acked } = setUp();
    copies.add(1, copy('a'), true);
    copies.add(1, copy('b'), true);
    expect(acked).toEqual(['a']);
    copies.delivered(1);
    copies.add(1, copy('c'), true);
    expect(acked).toEqual(['a', 'b', 'c']);
  });

  test('goes with its lease, and nothing of it is remembered', () => {
    const { copies, copy, acked } = setUp();
    copies.add(1, copy('a'), true);
    copies.release(1);
    copies.release(2);
    expect([acked, copies.hasResult(1)]).toEqual([['a'], false]);
    copies.add(1, copy('b'), true);
    expect(acked).toEqual(['a']);
  });
});
