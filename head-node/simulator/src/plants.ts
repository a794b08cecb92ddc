/**
 * Bugs that are wrapped around the real cores to test whether the simulation finds them; the cores contain none of this.
 * `ack-before-fsync` is in head/journal.ts and `drop-copies` in head/head-life.ts, whose promises they break.
 */
import type { ProviderId, SessionId } from '@muster/shared';
import {
  fromRanges,
  handle,
  newClusterState,
  subtaskState,
  type ClusterState,
  type HeadEffect,
  type LeaseOrder,
} from '@muster/head-node/core';

export const plants = ['accept-twice', 'forget-lease', 'ack-before-fsync', 'drop-copies', 'ignore-epoch'] as const;
export type Plant = (typeof plants)[number];

export interface HeadCore {
  readonly handle: typeof handle;
  readonly newClusterState: typeof newClusterState;
}

/** The core for one life of the head, with this bug. */
export function headCore(plant: Plant | null): HeadCore {
  switch (plant) {
    case 'accept-twice':
      return { handle: acceptingTwice(), newClusterState };
    case 'forget-lease':
      return { handle: forgettingLeases, newClusterState };
    case 'ignore-epoch':
      return { handle: ignoringSessions(), newClusterState: (policy, _, nowMs) => newClusterState(policy, 0, nowMs) };
    case 'ack-before-fsync':
    case 'drop-copies':
    case null:
      return { handle, newClusterState };
  }
}

/** A late copy of an accepted result is accepted again. */
function acceptingTwice(): typeof handle {
  const orders = new Map<number, LeaseOrder>();
  return (state, event, moment) => {
    const effects = handle(state, event, moment);
    for (const effect of effects) if (effect.type === 'send-lease') orders.set(effect.lease, effect);
    const order = event.type === 'returned' ? orders.get(event.lease) : undefined;
    return order !== undefined && isAccepted(state, order) ? [...effects, acceptance(state, order)] : effects;
  };
}

const isAccepted = ({ tasks }: ClusterState, { task, ranges }: LeaseOrder): boolean =>
  fromRanges(ranges).every((index) => tasks.get(task)?.run?.states.at(index) === subtaskState.accepted);

const acceptance = (state: ClusterState, { task, ranges, session }: LeaseOrder): HeadEffect => {
  const provider = state.sessions.get(session) ?? ('' as ProviderId);
  return { type: 'append', record: { type: 'subtasks', task, ranges, provider, computeMs: 0, fetchMs: 0 } };
};

/** When a connection closes, the leases behind it are forgotten instead of going to other nodes. */
const forgettingLeases: typeof handle = (state, event, moment) => {
  const id = event.type === 'connection-closed' ? state.sessions.get(event.session) : undefined;
  if (id !== undefined) forgetLeases(state, id);
  return handle(state, event, moment);
};

function forgetLeases(state: ClusterState, id: ProviderId): void {
  const provider = state.providers.get(id);
  for (const lease of provider?.leases ?? []) {
    const task = state.leases.get(lease)?.task;
    if (task !== undefined) state.tasks.get(task)?.leases.delete(lease);
    state.leases.delete(lease);
  }
  provider?.leases.clear();
}

/** A result under an earlier session of its provider is taken as one under the present session. */
function ignoringSessions(): typeof handle {
  const owners = new Map<SessionId, ProviderId>();
  return (state, event, moment) => {
    if (event.type === 'registered') owners.set(event.session, event.provider);
    if (event.type !== 'returned') return handle(state, event, moment);
    const session = state.providers.get(owners.get(event.session) ?? ('' as ProviderId))?.session ?? event.session;
    return handle(state, { ...event, session }, moment);
  };
}
