/**
 * The provider's core: one event in, effects out; synchronous and pure like the head's. A lease goes fetching -> queued ->
 * computing -> returned and is forgotten when the head has settled or revoked it.
 */
import type { HeldLease } from '@muster/shared';
import type { ProviderEffect } from './effects.ts';
import type { ProviderEvent } from './events.ts';
import { COMPUTE_SLOTS, type HeldWork, type ProviderState } from './provider-state.ts';

export function handle(state: ProviderState, event: ProviderEvent, nowMs: number): ProviderEffect[] {
  const effects = apply(state, event, nowMs);
  return [...effects, ...fillSlots(state)];
}

function apply(state: ProviderState, event: ProviderEvent, nowMs: number): ProviderEffect[] {
  switch (event.type) {
    case 'registered':
      return onRegistered(state, event);
    case 'disconnected':
      state.session = null;
      return [];
    case 'leased':
      return onLeased(state, event, nowMs);
    case 'fetched':
      return onFetched(state, event.lease, nowMs);
    case 'fetch-failed':
      return onFailed(state, event);
    case 'computed':
      return onComputed(state, event);
    case 'compute-failed':
      return event.aborted ? onAborted(state, event.lease) : onFailed(state, event);
    case 'settled':
      return event.leases.flatMap((lease) => release(state, lease));
    case 'revoked':
      return event.leases.flatMap((lease) => revoke(state, lease));
    case 'stop':
      return onStop(state);
  }
}

/** What we offer to a head when we register: everything that somebody may still wait for. */
export function offer({ held }: ProviderState): HeldLease[] {
  return [...held.values()]
    .filter(({ revoked }) => !revoked)
    .slice(0, MAX_OFFERED)
    .map(({ task, lease, ranges }) => ({ task, lease, ranges: [...ranges] }));
}

const MAX_OFFERED = 64;

function onRegistered(state: ProviderState, event: ProviderEvent & { type: 'registered' }): ProviderEffect[] {
  Object.assign(state, { session: event.session, epoch: event.epoch, sharesStore: event.sharesStore });
  const effects: ProviderEffect[] = [];
  for (const held of state.held.values()) {
    if (!isWanted(held, event)) effects.push(...revoke(state, held.lease));
    else if (held.phase !== 'returned') continue;
    else if (event.missing.includes(held.lease)) effects.push(beginAnew(held));
    else effects.push({ type: 'send-result', session: event.session, held });
  }
  return effects;
}

/** What came by the broker since we offered the head has given to others; but where a result is there, it may be of use. */
const isWanted = (
  { lease, phase }: HeldWork,
  { keep, refused, missing }: ProviderEvent & { type: 'registered' },
): boolean => keep.includes(lease) || (phase === 'returned' && !refused.includes(lease) && !missing.includes(lease));

function beginAnew(held: HeldWork): ProviderEffect {
  held.phase = 'fetching';
  held.result = null;
  return { type: 'fetch', held };
}

function onLeased(state: ProviderState, event: ProviderEvent & { type: 'leased' }, nowMs: number): ProviderEffect[] {
  const known = state.held.get(event.lease);
  if (known !== undefined) return onHeldAgain(state, known, event);
  if (state.stopping || !isMeant(state, event)) return [];
  const { lease, task, taskType, ranges, work, payload, blocks, inline, mirrored } = event;
  const held: HeldWork = {
    lease,
    task,
    taskType,
    ranges,
    work,
    payload,
    mirrored,
    blocks,
    phase: 'fetching',
    revoked: false,
    receivedAtMs: nowMs,
    fetchMs: 0,
    result: null,
  };
  state.held.set(lease, held);
  if (!inline) return [{ type: 'fetch', held }];
  held.phase = 'returned';
  held.result = { bytes: payload?.length ?? 0, computeMs: 0, path: '' };
  return [{ type: 'answer', session: state.session, held }];
}

/** Its copy is still there, so its result is not: an earlier life of this process did not get so far. A head that is here asks for itself. */
function onHeldAgain(
  { session }: ProviderState,
  held: HeldWork,
  { via }: ProviderEvent & { type: 'leased' },
): ProviderEffect[] {
  const isLeft = via.broker && session === null && held.phase === 'returned' && !held.revoked;
  return isLeft ? [{ type: 'send-result', session: null, held }] : [];
}

/**
 * What the broker brings repairs a gap in what the head sent, and keeps us busy while the head is away. It is no order for what is
 * over, and none from an earlier life of a head that is here: that one has counted us in again.
 */
function isMeant({ session, epoch, over }: ProviderState, { via, lease }: ProviderEvent & { type: 'leased' }): boolean {
  if (!via.broker) return session !== null;
  if (over.has(lease)) return false;
  return session === null ? via.epoch >= epoch : via.epoch === epoch && !via.again;
}

function onFetched(state: ProviderState, lease: number, nowMs: number): ProviderEffect[] {
  const held = state.held.get(lease);
  if (held?.phase !== 'fetching') return [];
  held.phase = 'queued';
  held.fetchMs = nowMs - held.receivedAtMs;
  return [];
}

function fillSlots({ held }: ProviderState): ProviderEffect[] {
  const all = [...held.values()];
  const free = COMPUTE_SLOTS - all.filter(({ phase }) => phase === 'computing').length;
  const next = all.filter(({ phase, revoked }) => phase === 'queued' && !revoked).slice(0, Math.max(0, free));
  return next.map((work) => {
    work.phase = 'computing';
    return { type: 'compute', held: work };
  });
}

function onComputed(state: ProviderState, event: ProviderEvent & { type: 'computed' }): ProviderEffect[] {
  const held = state.held.get(event.lease);
  if (held === undefined) return [];
  if (held.revoked) return release(state, event.lease);
  held.phase = 'returned';
  held.result = event.result;
  return [{ type: 'send-result', session: state.session, held }];
}

function onAborted(state: ProviderState, lease: number): ProviderEffect[] {
  const held = state.held.get(lease);
  if (held === undefined) return [];
  if (held.revoked) return release(state, lease);
  held.phase = 'queued';
  return [];
}

function onFailed(
  state: ProviderState,
  { lease, error }: ProviderEvent & { type: 'fetch-failed' | 'compute-failed' },
): ProviderEffect[] {
  const held = state.held.get(lease);
  if (held === undefined) return [];
  const report: ProviderEffect[] =
    state.session === null || held.revoked ? [] : [{ type: 'send-failure', session: state.session, held, error }];
  return [...report, ...release(state, lease)];
}

function release(state: ProviderState, lease: number): ProviderEffect[] {
  const held = state.held.get(lease);
  if (held === undefined || !state.held.delete(lease)) return [];
  state.over.add(lease);
  return [{ type: 'release', held }];
}

/** A lease that the compute process has cannot be taken back, only killed; it stays until its end is known. */
function revoke(state: ProviderState, lease: number): ProviderEffect[] {
  const held = state.held.get(lease);
  if (held === undefined) return [];
  held.revoked = true;
  return held.phase === 'computing' ? [{ type: 'abort-soon', lease }] : release(state, lease);
}

/** Nothing more is taken; what is unfinished goes back to the head. */
function onStop(state: ProviderState): ProviderEffect[] {
  state.stopping = true;
  const unfinished = [...state.held.values()].filter(({ phase }) => phase !== 'returned');
  return unfinished.flatMap(({ lease }) => revoke(state, lease));
}
