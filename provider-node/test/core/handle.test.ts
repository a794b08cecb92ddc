import { describe, expect, test } from '@jest/globals';
import type { BlockId, SessionId, TaskId } from '@muster/shared';
import type { ProviderEffect } from '../../src/core/effects.ts';
import type { ProviderEvent } from '../../src/core/events.ts';
import { handle, offer } from '../../src/core/handle.ts';
import { newProviderState, type ProviderState } from '../../src/core/provider-state.ts';

const task = '0123456789abcdef' as TaskId;
const session = 'a'.repeat(32) as SessionId;
const block = 'b'.repeat(32) as BlockId;
const failure = { code: 'COMPUTE_FAILED', what: 'it broke', why: '', fix: '' } as const;

const registered = (
  keep: number[] = [],
  epoch = 1,
  { missing = [], refused = [], firstLease = 0 }: Answer = {},
): ProviderEvent => ({
  type: 'registered',
  session,
  epoch,
  keep,
  refused,
  firstLease,
  sharesStore: true,
  missing,
});

interface Answer {
  readonly missing?: number[];
  readonly refused?: number[];
  readonly firstLease?: number;
}

const leased = (lease: number, inline = false): ProviderEvent & { type: 'leased' } => ({
  type: 'leased',
  via: { broker: false },
  task,
  lease,
  attempt: 1,
  taskType: inline ? 'echo' : 'matrix_mult',
  ranges: [lease, lease + 1],
  work: null,
  payload: inline ? new Uint8Array(8) : null,
  blocks: inline ? [] : [block],
  inline,
  mirrored: true,
});
const computed = (lease: number): ProviderEvent => ({
  type: 'computed',
  lease,
  result: { bytes: 4, computeMs: 1, path: `/store/${lease}` },
});
const brokered = (lease: number, epoch = 1, again = false): ProviderEvent => ({
  ...leased(lease),
  via: { broker: true, epoch, again },
});

/** Feeds events in order and returns the effects of the last, each as `type lease`. */
function play(state: ProviderState, ...events: ProviderEvent[]): string[] {
  let effects: ProviderEffect[] = [];
  for (const event of events) effects = handle(state, event, 0);
  return effects.map((effect) => `${effect.type} ${'held' in effect ? effect.held.lease : effect.lease}`);
}

function joined(): ProviderState {
  const state = newProviderState();
  play(state, registered());
  return state;
}

describe('the life of a lease', () => {
  test('fetch, compute, send, forget when settled', () => {
    const state = joined();
    expect(play(state, leased(1))).toEqual(['fetch 1']);
    expect(play(state, { type: 'fetched', lease: 1 })).toEqual(['compute 1']);
    expect(play(state, computed(1))).toEqual(['send-result 1']);
    expect(play(state, { type: 'settled', leases: [1] })).toEqual(['release 1']);
    expect(state.held.size).toBe(0);
  });

  test('an inline lease is answered at once', () => {
    expect(play(joined(), leased(1, true))).toEqual(['answer 1']);
  });

  test('two leases are with the compute process, the third waits', () => {
    const state = joined();
    const ready = [1, 2, 3].flatMap((lease): ProviderEvent[] => [leased(lease), { type: 'fetched', lease }]);
    expect(play(state, ...ready)).toEqual([]);
    expect(play(state, computed(1))).toEqual(['send-result 1', 'compute 3']);
  });

  test('the same lease twice is one', () => {
    const state = joined();
    expect(play(state, leased(1), leased(1))).toEqual([]);
  });

  test('a failure is reported and forgotten', () => {
    const state = joined();
    expect(play(state, leased(1), { type: 'fetch-failed', lease: 1, error: failure })).toEqual([
      'send-failure 1',
      'release 1',
    ]);
    expect(offer(state)).toEqual([]);
  });

  test('a lease without a session is not taken', () => {
    expect(play(newProviderState(), leased(1))).toEqual([]);
  });
});

describe('revocation', () => {
  test('a queued lease goes at once', () => {
    expect(play(joined(), leased(1), { type: 'revoked', leases: [1] })).toEqual(['release 1']);
  });

  test('a computing one is aborted, and its late result is not sent', () => {
    const state = joined();
    expect(play(state, leased(1), { type: 'fetched', lease: 1 }, { type: 'revoked', leases: [1] })).toEqual([
      'abort-soon 1',
    ]);
    expect(play(state, computed(1))).toEqual(['release 1']);
  });

  test('an abort that hits a wanted lease computes it again', () => {
    const state = joined();
    play(state, leased(1), { type: 'fetched', lease: 1 });
    expect(play(state, { type: 'compute-failed', lease: 1, aborted: true, error: failure })).toEqual(['compute 1']);
  });
});

describe('registering again', () => {
  test('offers what it holds, sends kept results again, drops the rest', () => {
    const state = joined();
    play(state, leased(1), { type: 'fetched', lease: 1 }, computed(1), leased(2), leased(3), { type: 'disconnected' });
    expect(offer(state).map(({ lease }) => lease)).toEqual([1, 2, 3]);
    expect(play(state, registered([1, 2]))).toEqual(['send-result 1', 'release 3']);
  });

  test('a result whose file is gone is computed again, from its operands on', () => {
    const state = joined();
    play(state, leased(1), { type: 'fetched', lease: 1 }, computed(1), { type: 'disconnected' });
    expect(play(state, registered([1], 2, { missing: [1] }))).toEqual(['fetch 1']);
    expect(play(state, { type: 'fetched', lease: 1 })).toEqual(['compute 1']);
  });

  test('results of an earlier life of this process are offered, and sent when they are wanted', () => {
    const earlier = joined();
    play(
      earlier,
      leased(1),
      { type: 'fetched', lease: 1 },
      computed(1),
      leased(2),
      { type: 'fetched', lease: 2 },
      computed(2),
    );
    const state = newProviderState([...earlier.held.values()]);
    expect(offer(state).map(({ lease }) => lease)).toEqual([1, 2]);
    expect(play(state, registered([2], 1, { refused: [1] }))).toEqual(['release 1', 'send-result 2']);
  });

  test('an inline result is sent again to a head that has started anew: it is in no store', () => {
    const state = joined();
    play(state, leased(1, true), { type: 'disconnected' });
    expect(play(state, registered([1], 2))).toEqual(['send-result 1']);
  });

  test('a result that was finished without a head is sent when one is back', () => {
    const state = joined();
    play(state, leased(1), { type: 'fetched', lease: 1 }, { type: 'disconnected' });
    // Nobody to send it to but a broker.
    expect(play(state, computed(1))).toEqual(['send-result 1']);
    expect(play(state, registered([1]))).toEqual(['send-result 1']);
  });
});

describe('leases from the broker', () => {
  test('the copy of a lease that came straight is nothing new, whichever comes first', () => {
    const state = joined();
    expect(play(state, brokered(1))).toEqual(['fetch 1']);
    expect(play(state, leased(1))).toEqual([]);
    expect(play(state, leased(2))).toEqual(['fetch 2']);
    expect(play(state, brokered(2))).toEqual([]);
  });

  test('what is over is not begun again', () => {
    const state = joined();
    play(state, leased(1), { type: 'fetched', lease: 1 }, computed(1), { type: 'settled', leases: [1] });
    expect(play(state, brokered(1))).toEqual([]);
    expect(play(state, leased(2), { type: 'revoked', leases: [2] })).toEqual(['release 2']);
    expect(play(state, brokered(2))).toEqual([]);
  });

  test('without a head they are worked on, and their results go to the broker', () => {
    const state = newProviderState();
    expect(play(state, brokered(1, 3, true))).toEqual(['fetch 1']);
    play(state, { type: 'fetched', lease: 1 });
    expect(handle(state, computed(1), 0)).toMatchObject([{ type: 'send-result', session: null }]);
    expect(play(state, registered([1], 4))).toEqual(['send-result 1']);
  });

  test('a result of an earlier life of this process goes to the broker when its copy comes again and no head is there', () => {
    const earlier = joined();
    play(earlier, leased(1), { type: 'fetched', lease: 1 }, computed(1));
    const state = newProviderState([...earlier.held.values()]);
    expect(play(state, brokered(1, 1, true))).toEqual(['send-result 1']);
    expect(handle(state, brokered(1, 1, true), 0)).toMatchObject([{ type: 'send-result', session: null }]);
    play(state, registered([1]));
    expect(play(state, brokered(1, 1, true))).toEqual([]);
  });

  test('what came between the offer and its answer is given up, but a result is not thrown away', () => {
    const state = joined();
    play(state, { type: 'disconnected' });
    expect(offer(state)).toEqual([]);
    play(state, brokered(1), { type: 'fetched', lease: 1 }, computed(1), brokered(2));
    expect(play(state, registered([]))).toEqual(['send-result 1', 'release 2']);
  });

  test('a head that is here has the say over what it gave before we registered, or comes again', () => {
    const state = newProviderState();
    play(state, registered([], 1, { firstLease: 2 }));
    expect(play(state, brokered(1))).toEqual([]);
    expect(play(state, brokered(2))).toEqual(['fetch 2']);
    expect(play(state, brokered(3, 1, true))).toEqual([]);
    play(state, { type: 'disconnected' });
    expect(play(state, brokered(4, 0))).toEqual([]);
    expect(play(state, brokered(1, 1, true))).toEqual(['fetch 1']);
  });

  test('a result that an earlier life of this process could not deliver goes to the broker when its lease comes again', () => {
    const earlier = joined();
    play(earlier, leased(1), { type: 'fetched', lease: 1 }, computed(1));
    const state = newProviderState([...earlier.held.values()]);
    expect(handle(state, brokered(1, 1, true), 0)).toMatchObject([{ type: 'send-result', session: null }]);
    play(state, registered([1]));
    expect(play(state, brokered(1, 1, true))).toEqual([]);
  });
});

test('stopping gives unfinished leases up and takes no more', () => {
  const state = joined();
  play(state, leased(1), { type: 'fetched', lease: 1 }, leased(2));
  expect(play(state, { type: 'stop' })).toEqual(['abort-soon 1', 'release 2']);
  expect(play(state, leased(3))).toEqual([]);
});
