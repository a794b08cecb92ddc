/**
 * The head's core: one event in, effects out. Synchronous, no I/O, no clock, no randomness of its own. Work is handed out after every
 * event, so that a handler that frees a node, brings a block or adds a task need not dispatch.
 */
import { onBackbone, onMirrored, onRecovered } from './backbone.ts';
import type { ClusterState } from './cluster-state.ts';
import { dispatch, speculate } from './dispatch.ts';
import type { HeadEffect } from './effects.ts';
import { ageEnded } from './ended-tasks.ts';
import type { HeadEvent, Moment } from './events.ts';
import { onFailed, watchLeases } from './failures.ts';
import { retryLater } from './leases.ts';
import {
  bySession,
  grantGrace,
  heard,
  onBye,
  onConnectionClosed,
  onDrained,
  onProviderReady,
  onRegistered,
  watchProviders,
} from './providers.ts';
import { onRestored } from './restore.ts';
import { onRoundReady, onRoundsEnded, onRoundsFailed, openWaitingRounds, watchRounds } from './rounds.ts';
import { onBytesMissing, onChecked, onCheckFailed, onDelivered, onKept, onReturned } from './results.ts';
import { onBound, onCancelled, onResultsTooLarge, onSubmitted, onTaskDurable, tryStart, watchTasks } from './tasks.ts';
import type { Turn } from './turn.ts';

export function handle(state: ClusterState, event: HeadEvent, moment: Moment): HeadEffect[] {
  const turn: Turn = { ...moment, state, effects: [] };
  apply(turn, event);
  if (event.type === 'provider-ready' || event.type === 'drained') startWaiting(turn);
  dispatch(turn);
  closeLeases(turn);
  return turn.effects;
}

function apply(turn: Turn, event: HeadEvent): void {
  switch (event.type) {
    case 'restored':
      return onRestored(turn, event);
    case 'registered':
      return onRegistered(turn, event);
    case 'provider-ready':
      return onProviderReady(turn, event);
    case 'connection-closed':
      return onConnectionClosed(turn, event);
    case 'heartbeat':
      return onHeartbeat(turn, event);
    case 'bye':
      return onBye(turn, event);
    case 'drained':
      return onDrained(turn, event);
    case 'lease-sent':
      return onSent(turn, event);
    case 'lease-undelivered':
      return onUndelivered(turn, event);
    case 'submitted':
      return onSubmitted(turn, event);
    case 'task-durable':
      return onTaskDurable(turn, event);
    case 'bound':
      return onBound(turn, event);
    case 'returned':
      return onReturned(turn, event);
    case 'delivered':
      return onDelivered(turn, event);
    case 'backbone':
      return onBackbone(turn, event);
    case 'recovered':
      return onRecovered(turn);
    case 'mirrored':
      return onMirrored(turn, event);
    case 'failed':
      return onFailed(turn, event);
    case 'bytes-missing':
      return onBytesMissing(turn, event);
    case 'checked':
      return onChecked(turn, event);
    case 'kept':
      return onKept(turn, event);
    case 'check-failed':
      return onCheckFailed(turn, event);
    case 'round-ready':
      return onRoundReady(turn, event);
    case 'rounds-ended':
      return onRoundsEnded(turn, event);
    case 'rounds-failed':
      return onRoundsFailed(turn, event);
    case 'cancelled':
      return onCancelled(turn, event);
    case 'results-too-large':
      return onResultsTooLarge(turn, event);
    case 'tick':
      return onTick(turn);
  }
}

function closeLeases({ state, effects }: Turn): void {
  for (const effect of effects) {
    if (effect.type === 'settle') state.closed.add(effect.lease);
    else if (effect.type === 'revoke') for (const lease of effect.leases) state.closed.add(lease);
  }
}

function onHeartbeat(turn: Turn, event: HeadEvent & { type: 'heartbeat' }): void {
  const provider = bySession(turn, event.session);
  if (provider === undefined) return;
  provider.linkBytesPerMs = event.linkBytesPerMs;
  heard(turn, provider);
}

function onSent({ state, nowMs }: Turn, event: HeadEvent & { type: 'lease-sent' }): void {
  const lease = state.leases.get(event.lease);
  if (lease !== undefined) lease.sentAtMs = nowMs;
}

function onUndelivered(turn: Turn, event: HeadEvent & { type: 'lease-undelivered' }): void {
  const lease = turn.state.leases.get(event.lease);
  if (lease !== undefined && lease.phase !== 'checking') retryLater(turn, lease);
}

function startWaiting(turn: Turn): void {
  for (const task of turn.state.open) tryStart(turn, task);
  openWaitingRounds(turn);
}

/** A longer gap between two ticks means that the process was frozen. */
const FROZEN_MS = 3000;

function onTick(turn: Turn): void {
  const gapMs = turn.nowMs - turn.state.lastTickMs;
  if (gapMs > FROZEN_MS) grantGrace(turn, gapMs);
  turn.state.lastTickMs = turn.nowMs;
  watchProviders(turn);
  watchLeases(turn);
  watchTasks(turn);
  watchRounds(turn);
  ageEnded(turn);
  startWaiting(turn);
  speculate(turn);
}
