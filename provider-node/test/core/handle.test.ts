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

const registered = (keep: number[] = [], epoch = 1): ProviderEvent => ({
  type: 'registered',
  session,
  epoch,
  keep,
  sharesStore: true,
});
const leased = (lease: number, inline = false): ProviderEvent => ({
  type: 'leased',
  task,
  lease,
  taskType: inline ? 'echo' : 'matrix_mult',
  ranges: [lease, lease + 1],
  work: null,
  payload: inline ? new Uint8Array(8) : null,
  blocks: inline ? [] : [block],
  inline,
});
const computed = (lease: number): ProviderEvent => ({ type: 'computed', lease, bytes: 4, computeMs: 1 });

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

  test('a result in the store of a head that has started anew is computed again', () => {
    const state = joined();
    play(state, leased(1), { type: 'fetched', lease: 1 }, computed(1), { type: 'disconnected' });
    expect(play(state, registered([1], 2))).toEqual(['compute 1']);
  });

  test('a result that was finished without a head is sent when one is back', () => {
    const state = joined();
    play(state, leased(1), { type: 'fetched', lease: 1 }, { type: 'disconnected' });
    expect(play(state, computed(1))).toEqual([]);
    expect(play(state, registered([1]))).toEqual(['send-result 1']);
  });
});

test('stopping gives unfinished leases up and takes no more', () => {
  const state = joined();
  play(state, leased(1), { type: 'fetched', lease: 1 }, leased(2));
  expect(play(state, { type: 'stop' })).toEqual(['abort-soon 1', 'release 2']);
  expect(play(state, leased(3))).toEqual([]);
});
