import { describe, expect, test } from '@jest/globals';
import type { TaskId } from '@muster/shared';
import { ResultCopies } from '../../src/core/result-copies.ts';

const task = '0123456789abcdef' as TaskId;
const other = 'f'.repeat(16) as TaskId;

interface Play {
  readonly copies: ResultCopies;
  /** By lease; a second delivery of one is `lease'`. */
  readonly acknowledged: string[];
  readonly open: Set<number>;
  readonly running: Set<TaskId>;
  readonly arrives: (lease: number, of?: TaskId) => boolean;
}

function play(): Play {
  const [acknowledged, open, running]: [string[], Set<number>, Set<TaskId>] = [[], new Set([1, 2, 3]), new Set([task])];
  const copies = new ResultCopies({ isOpen: (lease) => open.has(lease), isRunning: (id) => running.has(id) });
  const seen = new Set<number>();
  const arrives = (lease: number, of = task): boolean => {
    const name = `${lease}${seen.has(lease) ? `'` : ''}`;
    seen.add(lease);
    return copies.hold({ task: of, lease, ack: () => void acknowledged.push(name) });
  };
  return { copies, acknowledged, open, running, arrives };
}

describe('the copy of a result', () => {
  test('is held until its lease is settled', () => {
    const { copies, acknowledged, arrives } = play();
    expect([arrives(1), arrives(2)]).toEqual([true, true]);
    copies.looked(1);
    expect(acknowledged).toEqual([]);
    copies.release(1);
    copies.release(1);
    expect(acknowledged).toEqual(['1']);
    expect([copies.has(1), copies.has(2)]).toEqual([false, true]);
  });

  test('goes when it was looked at and nobody waits for its lease', () => {
    const { copies, acknowledged, arrives } = play();
    arrives(4);
    copies.looked(4);
    expect(acknowledged).toEqual(['4']);
  });

  test('that comes again takes the place of the first', () => {
    const { copies, acknowledged, arrives } = play();
    arrives(1);
    arrives(1);
    expect(acknowledged).toEqual(['1']);
    copies.release(1);
    expect(acknowledged).toEqual(['1', `1'`]);
  });

  test('of a task that is over is none', () => {
    const { copies, acknowledged, arrives } = play();
    expect(arrives(1, other)).toBe(false);
    expect(acknowledged).toEqual(['1']);
    expect(copies.has(1)).toBe(false);
  });

  test('goes with its task', () => {
    const { copies, acknowledged, running, arrives } = play();
    running.add(other);
    arrives(1);
    arrives(2, other);
    arrives(3);
    copies.end(task);
    expect(acknowledged).toEqual(['1', '3']);
  });
});
