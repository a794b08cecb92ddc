/** Registration and liveness of providers. */
import { backoffMs, type HeldLease, type ProviderId, type SessionId } from '@muster/shared';
import type { Provider, ProviderPhase } from './cluster-state.ts';
import type { HeadEvent, Registration } from './events.ts';
import { learnedRates } from './learned-rates.ts';
import { adoptLease, giveUpLease, reclaimLease, voidLease } from './leases.ts';
import { log, readyProviders, type Turn } from './turn.ts';

/** Legal moves of a provider's phase. A new registration starts again at `joining` from anywhere. */
const moves: Readonly<Record<ProviderPhase, readonly ProviderPhase[]>> = {
  joining: ['ready', 'resting', 'draining', 'joining', 'suspect', 'leaving', 'lost'],
  ready: ['joining', 'draining', 'suspect', 'leaving', 'lost'],
  resting: ['joining', 'ready', 'draining', 'suspect', 'leaving', 'lost'],
  draining: ['joining', 'ready', 'resting', 'suspect', 'leaving', 'lost'],
  suspect: ['joining', 'ready', 'resting', 'draining', 'leaving', 'lost'],
  leaving: ['joining', 'lost'],
  lost: ['joining'],
};

export function moveProvider(turn: Turn, provider: Provider, to: { phase: ProviderPhase; reason: string }): void {
  if (!moves[provider.phase].includes(to.phase)) {
    throw new Error(
      `illegal move of provider ${provider.name}: ${provider.phase} (${provider.reason}) -> ${to.phase} (${to.reason})`,
    );
  }
  provider.phase = to.phase;
  provider.reason = to.reason;
  provider.phaseSinceMs = turn.nowMs;
  turn.state.ready = null;
}

export function bySession({ state }: Turn, session: SessionId): Provider | undefined {
  const id = state.sessions.get(session);
  return id === undefined ? undefined : state.providers.get(id);
}

/** Any sign of life of the current session. */
export function heard(turn: Turn, provider: Provider): void {
  provider.lastHeardMs = turn.nowMs;
  if (provider.phase === 'suspect' && provider.reason !== CLOSED) welcomeBack(turn, provider, 'heard again');
}

/** A node that disconnects too often takes leases with it each time, so it rests first; unless no other node is ready. */
function welcomeBack(turn: Turn, provider: Provider, reason: string): void {
  const { policy, drained } = turn.state;
  if (drained.has(provider.id)) return takeOut(turn, provider);
  const breaks = provider.breaksAtMs.filter((atMs) => turn.nowMs - atMs < policy.breakerWindowMs).length;
  if (breaks < policy.breakerBreaks || readyProviders(turn.state).length === 0)
    return makeReady(turn, provider, reason);
  const restMs = backoffMs(policy.rest, 1 + breaks - policy.breakerBreaks, turn.random);
  provider.restUntilMs = turn.nowMs + restMs;
  const why = `broke off ${breaks} times in ${policy.breakerWindowMs / 1000} s, rests for ${(restMs / 1000).toFixed(0)} s`;
  moveProvider(turn, provider, { phase: 'resting', reason: why });
  log(turn, 'warn', { text: `${provider.name} ${why}`, node: provider });
}

/** It reclaims the leases that were given up, with their old deadlines, except subtasks that other nodes have taken meanwhile. */
function makeReady(turn: Turn, provider: Provider, reason: string): void {
  moveProvider(turn, provider, { phase: 'ready', reason });
  for (const id of provider.leases) reclaimLease(turn, id);
}

/** It finishes the leases that it has. */
function takeOut(turn: Turn, provider: Provider): void {
  moveProvider(turn, provider, { phase: 'draining', reason: 'drained by an admin' });
  for (const id of provider.leases) reclaimLease(turn, id);
}

/** Applies to the node in all its sessions, until it is undone. */
export function onDrained(turn: Turn, { provider: id, on }: HeadEvent & { type: 'drained' }): void {
  const { drained, providers } = turn.state;
  if (on) drained.add(id);
  else drained.delete(id);
  const provider = providers.get(id);
  if (on && (provider?.phase === 'ready' || provider?.phase === 'resting')) takeOut(turn, provider);
  else if (!on && provider?.phase === 'draining') welcomeBack(turn, provider, 'gets work again');
}

const CLOSED = 'connection closed';

export function onRegistered(turn: Turn, event: Registration): void {
  const { state } = turn;
  const known = state.providers.get(event.provider);
  if (known !== undefined) state.sessions.delete(known.session);
  const provider = known ?? newProvider(event, turn.nowMs);
  state.providers.set(event.provider, provider);
  state.sessions.set(event.session, event.provider);
  // A new calibration means another process, perhaps another device: the learned rates no longer apply.
  if (provider.device.gflops.float32 !== event.device.gflops.float32)
    provider.rates = learnedRates(event.device.gflops);
  Object.assign(provider, {
    session: event.session,
    name: event.name,
    platform: event.platform,
    device: event.device,
    credit: event.credit,
    lastHeardMs: turn.nowMs,
  });
  moveProvider(turn, provider, { phase: 'joining', reason: 'registering' });
  turn.effects.push({ type: 'reply-registered', session: event.session, keep: reconcile(turn, provider, event) });
}

/** Returns the offered leases that are still wanted. Those that the provider does not hold any more are given to others. */
function reconcile(turn: Turn, provider: Provider, { held }: Registration): number[] {
  const keep = held.filter((offer) => answer(turn, provider, offer)).map(({ lease }) => lease);
  for (const id of provider.leases) {
    const lease = turn.state.leases.get(id);
    if (lease !== undefined && lease.phase !== 'checking' && !keep.includes(id))
      voidLease(turn, lease, { retry: true });
  }
  return keep;
}

/** A wanted lease counts again, even if the provider was told to forget it; any other one it is told to forget by this answer. */
function answer(turn: Turn, provider: Provider, offer: HeldLease): boolean {
  const wanted = adoptLease(turn, provider.id, offer);
  const { closed, leases } = turn.state;
  if (wanted) closed.delete(offer.lease);
  // A lease that belongs to another node stays as it is.
  else if ((leases.get(offer.lease)?.provider ?? provider.id) === provider.id) closed.add(offer.lease);
  return wanted;
}

function newProvider(event: Registration, nowMs: number): Provider {
  return {
    id: event.provider,
    session: event.session,
    name: event.name,
    platform: event.platform,
    device: event.device,
    rates: learnedRates(event.device.gflops),
    credit: event.credit,
    sharesStore: false,
    linkBytesPerMs: 0,
    phase: 'joining',
    reason: 'registering',
    lastHeardMs: nowMs,
    phaseSinceMs: nowMs,
    breaksAtMs: [],
    restUntilMs: 0,
    leases: new Set(),
    backlogMs: 0,
    accepted: 0,
    rejected: 0,
    holds: new Set(),
  };
}

export function onProviderReady(turn: Turn, event: HeadEvent & { type: 'provider-ready' }): void {
  const provider = bySession(turn, event.session);
  if (provider === undefined || (provider.phase !== 'joining' && provider.phase !== 'suspect')) return;
  provider.sharesStore = event.sharesStore;
  provider.lastHeardMs = turn.nowMs;
  welcomeBack(turn, provider, 'joined');
  reopenTasks(turn, provider);
  log(turn, 'info', {
    text: `${provider.name} joined: ${provider.device.label}, ${provider.device.gflops.float32.toFixed(0)} GFLOP/s`,
    node: provider,
  });
}

/** A new session is subscribed to none of the old one's task topics. */
function reopenTasks(turn: Turn, { id, session, sharesStore }: Provider): void {
  if (sharesStore) return;
  for (const { id: task, run } of turn.state.running) {
    if (run?.team.includes(id) === true) turn.effects.push({ type: 'open-task', session, task });
  }
}

export function onConnectionClosed(turn: Turn, event: HeadEvent & { type: 'connection-closed' }): void {
  const provider = bySession(turn, event.session);
  if (provider === undefined) return;
  if (provider.phase === 'leaving') lose(turn, provider, 'left');
  else if (isHere(provider) || provider.phase === 'joining') suspect(turn, provider, CLOSED);
}

/** Its leases are given to others at once; if it delivers after all, the first valid result wins. */
export function suspect(turn: Turn, provider: Provider, reason: string): void {
  moveProvider(turn, provider, { phase: 'suspect', reason });
  provider.breaksAtMs = [...provider.breaksAtMs, turn.nowMs].slice(-BREAKS_REMEMBERED);
  log(turn, 'warn', {
    text: `${provider.name} is suspect: ${reason}; ${provider.leases.size} leases go to other nodes`,
    node: provider,
  });
  for (const id of provider.leases) giveUpLease(turn, id);
  if (provider.sharesStore) return;
  for (const { id: task, run } of turn.state.running)
    if (run?.team.includes(provider.id) === true) turn.effects.push({ type: 'mirror-kept', task });
}

export function lose(turn: Turn, provider: Provider, reason: string): void {
  moveProvider(turn, provider, { phase: 'lost', reason });
  turn.state.counters.providersLost += 1;
  turn.state.sessions.delete(provider.session);
  for (const id of provider.leases) {
    const lease = turn.state.leases.get(id);
    if (lease !== undefined && lease.phase !== 'checking') voidLease(turn, lease, { retry: true });
  }
  log(turn, reason === 'left' ? 'info' : 'warn', { text: `${provider.name} is gone: ${reason}`, node: provider });
}

export function onBye(turn: Turn, event: HeadEvent & { type: 'bye' }): void {
  const provider = bySession(turn, event.session);
  if (provider === undefined || provider.phase === 'lost') return;
  if (provider.phase !== 'leaving') moveProvider(turn, provider, { phase: 'leaving', reason: 'leaving' });
  for (const id of event.handBack) {
    const lease = turn.state.leases.get(id);
    if (lease?.provider === provider.id && lease.phase !== 'checking') voidLease(turn, lease, { retry: false });
  }
}

/** Silence, by the monotonic clock. A provider that is lost for long is forgotten, so that the list stays short. */
export function watchProviders(turn: Turn): void {
  const { policy, providers } = turn.state;
  for (const provider of providers.values()) {
    const silentMs = turn.nowMs - provider.lastHeardMs;
    const awayMs = turn.nowMs - provider.phaseSinceMs;
    if (isHere(provider) && silentMs > policy.suspectAfterMs)
      suspect(turn, provider, `no heartbeat for ${(silentMs / 1000).toFixed(1)} s`);
    else if (provider.phase === 'resting' && mayEndRest(turn, provider)) makeReady(turn, provider, 'rested');
    else if (isAway(provider) && Math.max(silentMs, awayMs) > policy.lostAfterMs) lose(turn, provider, provider.reason);
    else if (provider.phase === 'lost' && awayMs > FORGET_AFTER_MS) forget(turn, provider);
  }
}

function forget({ state, effects }: Turn, { id }: Provider): void {
  state.providers.delete(id);
  effects.push({ type: 'dismiss', provider: id });
}

const mayEndRest = ({ state, nowMs }: Turn, { restUntilMs }: Provider): boolean =>
  nowMs >= restUntilMs || readyProviders(state).length === 0;

const BREAKS_REMEMBERED = 16;
const FORGET_AFTER_MS = 600_000;

const isHere = ({ phase }: Provider): boolean => phase === 'ready' || phase === 'resting' || phase === 'draining';
const isAway = ({ phase }: Provider): boolean => phase === 'suspect' || phase === 'leaving' || phase === 'joining';

/**
 * This process was frozen (sleep, SIGSTOP), so silence tells nothing about the providers: each gets one grace period, and no lease is late.
 */
export function grantGrace(turn: Turn, frozenMs: number): void {
  for (const lease of turn.state.leases.values())
    if (lease.sentAtMs !== null) lease.sentAtMs = Math.min(turn.nowMs, lease.sentAtMs + frozenMs);
  for (const provider of turn.state.providers.values()) {
    provider.lastHeardMs = turn.nowMs;
    provider.phaseSinceMs = Math.max(provider.phaseSinceMs, turn.nowMs - turn.state.policy.suspectAfterMs);
  }
}

export const nameOf = (turn: Turn, id: ProviderId): string => turn.state.providers.get(id)?.name ?? id;
