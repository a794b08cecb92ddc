/**
 * The provider's core: one event in, effects out; synchronous and pure like the head's. A lease goes fetching -> queued -> computing ->
 * returned and is forgotten once the head has settled or revoked it.
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

/** What we offer the head at registration: all leases that are not revoked, up to MAX_OFFERED. */
export function offer({ held }: ProviderState): HeldLease[] {
  return [...held.values()]
    .filter(({ revoked }) => !revoked)
    .slice(0, MAX_OFFERED)
    .map(({ task, lease, attempt, ranges }) => ({ task, lease, attempt, ranges: [...ranges] }));
}

const MAX_OFFERED = 64;

function onRegistered(state: ProviderState, event: ProviderEvent & { type: 'registered' }): ProviderEffect[] {
  const { session, epoch, firstLease, sharesStore } = event;
  Object.assign(state, { session, epoch, firstLease, sharesStore });
  const effects: ProviderEffect[] = [];
  for (const held of state.held.values()) {
    if (!isWanted(held, event)) effects.push(...revoke(state, held.lease));
    else if (held.phase !== 'returned') continue;
    else if (event.missing.includes(held.lease)) effects.push(beginAnew(held));
    else effects.push({ type: 'send-result', session, held });
  }
  return effects;
}

/**
 * Leases that arrived by the broker after our offer were given to other nodes; only those with a result are kept, which may still be of
 * use.
 */
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
  if (known !== undefined) return onHeldAlready(state, event, known);
  if (state.stopping || !isMeant(state, event)) return [];
  const { lease, attempt, task, taskType, ranges, work, payload, blocks, inline, mirrored } = event;
  const held: HeldWork = {
    lease,
    attempt,
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

/** The broker redelivers a copy when it has no result for it: an earlier process may have ended before it could publish one. */
function onHeldAlready(
  { session }: ProviderState,
  { via }: ProviderEvent & { type: 'leased' },
  held: HeldWork,
): ProviderEffect[] {
  return via.broker && session === null && held.phase === 'returned' ? [{ type: 'send-result', session, held }] : [];
}

/**
 * Broker copies fill gaps in the head's messages and provide work while the head is away. They never revive a lease that is over, nor,
 * while a head is connected, one given out before we registered: what we did not offer then has gone to others.
 */
function isMeant(
  { session, epoch, firstLease, over }: ProviderState,
  { via, lease }: ProviderEvent & { type: 'leased' },
): boolean {
  if (!via.broker) return session !== null;
  if (over.has(lease)) return false;
  return session === null ? via.epoch >= epoch : lease >= firstLease && !via.again;
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

/** Work in the compute process cannot be withdrawn, only aborted; the lease is held until it has ended. */
function revoke(state: ProviderState, lease: number): ProviderEffect[] {
  const held = state.held.get(lease);
  if (held === undefined) return [];
  held.revoked = true;
  return held.phase === 'computing' ? [{ type: 'abort-soon', lease }] : release(state, lease);
}

/** Accepts no more leases; unfinished ones go back to the head. */
function onStop(state: ProviderState): ProviderEffect[] {
  state.stopping = true;
  const unfinished = [...state.held.values()].filter(({ phase }) => phase !== 'returned');
  return unfinished.flatMap(({ lease }) => revoke(state, lease));
}
