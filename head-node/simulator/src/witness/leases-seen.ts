/** Leases and sessions as seen from outside: who may deliver what. */
import type { ProviderId, SessionId } from '@muster/shared';
import {
  fromRanges,
  type CheckOrder,
  type ClusterState,
  type HeadEvent,
  type LeaseOrder,
} from '@muster/head-node/core';
import { leaseName } from '../describe.ts';
import type { ResultMessage } from '../head/result-intake.ts';
import { must } from './violation.ts';

/** A direct result has a session; one that arrives by the broker names its provider instead. */
export type Arrival = Pick<ResultMessage, 'task' | 'lease' | 'ranges'> &
  ({ readonly session: SessionId } | { readonly session: null; readonly provider: ProviderId });

export class LeasesSeen {
  /** Subtasks of every lease that was ever given. */
  readonly #indices = new Map<number, readonly number[]>();
  /** In this life of the head: the holder of each lease, and the latest session of each provider. */
  readonly #holders = new Map<number, ProviderId>();
  readonly #sessions = new Map<ProviderId, SessionId>();
  /** Given out but not sent yet. */
  readonly #unsent = new Set<number>();
  #arriving: Arrival | null = null;
  /** By lease, the result that is being checked: a check without a verdict is repeated. */
  readonly #checked = new Map<number, CheckOrder['returned']>();

  headStarts(): void {
    this.#holders.clear();
    this.#sessions.clear();
    this.#unsent.clear();
  }

  registered({ provider, session, held }: HeadEvent & { type: 'registered' }, keep: readonly number[]): void {
    this.#sessions.set(provider, session);
    for (const lease of keep) {
      must(
        held.some((offer) => offer.lease === lease),
        `lease ${leaseName(lease)} is kept by a provider that offered it`,
      );
      this.#holders.set(lease, provider);
    }
  }

  given(state: ClusterState, { lease, session, ranges }: LeaseOrder): void {
    const id = state.sessions.get(session);
    const provider = id === undefined ? undefined : state.providers.get(id);
    must(provider?.phase === 'ready', `lease ${leaseName(lease)} goes to a node that is ready`);
    must(provider.leases.size <= provider.credit, `${provider.name} holds no more leases than it has credit for`);
    this.#indices.set(lease, fromRanges(ranges));
    this.#holders.set(lease, provider.id);
    this.#unsent.add(lease);
  }

  sent(lease: number): void {
    this.#unsent.delete(lease);
  }

  late(lease: number): void {
    must(!this.#unsent.has(lease), `lease ${leaseName(lease)} is late only when it has been sent`);
  }

  indicesOf(lease: number): readonly number[] {
    return this.#indices.get(lease) ?? [];
  }

  arrives(message: Arrival): void {
    this.#arriving = message;
  }

  /** A result is checked only if its holder delivered it in its present session, and for the subtasks that it was computed for. */
  checked({ lease, task, indices, returned }: CheckOrder): void {
    if (this.#checked.get(lease) === returned) return;
    this.#checked.set(lease, returned);
    const name = `the result of lease ${leaseName(lease)}`;
    const result = this.#arriving;
    must(result?.lease === lease, `${name} is checked because it has just arrived`);
    must(result.task === task, `${name} is for the task that it was computed for`);
    const computed = fromRanges(result.ranges);
    must(
      computed.length === indices.length && computed.every((index, at) => index === indices[at]),
      `${name} is for the subtasks that it was computed for`,
    );
    this.#comesFromItsHolder(name, result);
  }

  /** By the broker a result may also be of a lease from an earlier life of the head, which is then taken up again. */
  #comesFromItsHolder(name: string, result: Arrival): void {
    const holder = this.#holders.get(result.lease);
    if (result.session === null) {
      must(holder === undefined || holder === result.provider, `${name} comes from its holder`);
      this.#holders.set(result.lease, result.provider);
      return;
    }
    must(holder !== undefined, `${name} is taken only if this life of the head gave or adopted the lease`);
    must(this.#sessions.get(holder) === result.session, `${name} comes in the present session of its holder`);
  }
}
