/**
 * Providers that come, go, stall, lie, fail and repeat themselves, and a head that dies: everything that a real cluster does
 * to the core, one step at a time, in any order. What the head may promise whatever happens is checked at every step.
 */
import {
  isTerminal,
  taskTypeNamed,
  type ProviderId,
  type SessionId,
  type TaskId,
  type TaskStatus,
} from '@muster/shared';
import type { HeadEffect, LeaseOrder } from '../../src/core/effects.ts';
import type { HeadEvent } from '../../src/core/events.ts';
import { acceptedIn, ClusterRig, heldOf, historyOf, ofType, eightTiles, type Wish } from './cluster-rig.ts';

export interface ProviderKind {
  readonly credit: number;
  readonly sharesStore: boolean;
}

/** `count` null: the product of eight tiles. */
export interface TaskKind {
  readonly count: number | null;
  readonly batch: number;
  readonly window: number | null;
  readonly nodes: number;
}

/** A step names its victim by numbers, each taken modulo what there is, so that any list of steps means something. */
export interface Step {
  readonly do: (typeof stepKinds)[number];
  readonly who: number;
  readonly which: number;
}

export const stepKinds = [
  'submit',
  'confirm',
  'bind',
  'register',
  'ready',
  'close',
  'beat',
  'wait',
  'freeze',
  'deliver',
  'deliver',
  'deliver',
  'deliver-twice',
  'deliver-late',
  'verify',
  'verify',
  'verify',
  'refute',
  'fail',
  'forget',
  'undelivered',
  'bye',
  'cancel',
  'restart',
] as const;

/** A provider's own side: what it believes. */
interface Peer extends ProviderKind {
  readonly name: string;
  session: SessionId | null;
  /** Hears its topic. */
  connected: boolean;
  readonly held: Map<number, LeaseOrder>;
}

interface Plan extends TaskKind {
  id: TaskId | null;
  cancelled: boolean;
}

const ROUND_MS = 100;
/** Long enough for every deadline of the policy, one after the other. */
const ROUNDS_MAX = 3000;

const pick = <T>(items: readonly T[], number: number): T | undefined => items[number % items.length];

export class UnrulyCluster {
  rig = new ClusterRig();
  readonly #peers: readonly Peer[];
  readonly #plans: readonly Plan[];
  /** Everything that any life of the head has asked for. */
  readonly #journal: HeadEffect[] = [];
  #checks: LeaseOrder[] = [];
  #delivered: LeaseOrder[] = [];
  #epoch = 1;

  constructor(providers: readonly ProviderKind[], tasks: readonly TaskKind[]) {
    this.#peers = providers.map((kind, at) => ({
      ...kind,
      name: `p${at}`,
      session: null,
      connected: false,
      held: new Map(),
    }));
    this.#plans = tasks.map((kind) => ({ ...kind, id: null, cancelled: false }));
  }

  take({ do: kind, who, which }: Step): void {
    const peer = pick(this.#peers, who);
    const plan = pick(this.#plans, who);
    if (peer === undefined || plan === undefined) return;
    switch (kind) {
      case 'submit':
        return this.#submit(plan);
      case 'confirm':
        return plan.id === null ? undefined : this.#post({ type: 'task-durable', task: plan.id });
      case 'bind':
        return this.#bind(plan, which);
      case 'register':
        return this.#register(peer, which);
      case 'ready':
        return this.#ready(peer);
      case 'close':
        return this.#close(peer);
      case 'beat':
        return peer.session === null ? undefined : this.#post({ type: 'heartbeat', session: peer.session });
      case 'wait':
        return this.#wait((which * 37) % 2500);
      case 'freeze':
        return this.#wait(3001 + which * 100);
      case 'deliver':
        return this.#deliver(peer, which);
      case 'deliver-twice':
        return this.#return(pick(this.#delivered, which));
      case 'deliver-late':
        return this.#return(pick([...peer.held.values()], which));
      case 'verify':
        return this.#judge(which, true);
      case 'refute':
        return this.#judge(which, false);
      case 'fail':
        return this.#fail(peer, which);
      case 'forget':
        peer.held.delete(pick([...peer.held.keys()], which) ?? -1);
        return;
      case 'undelivered':
        return this.#undelivered(peer, which);
      case 'bye':
        return this.#bye(peer, which);
      case 'cancel':
        return which % 16 === 0 ? this.#cancel(plan) : undefined;
      case 'restart':
        return which % 3 === 0 ? this.#restart() : undefined;
    }
  }

  /** No more faults: the first `good` providers work as they should, the others stay silent. Ends when every task has. */
  calm(good: number): void {
    const alive = this.#peers.slice(0, Math.max(1, good));
    for (const peer of this.#peers) if (!alive.includes(peer)) this.#close(peer);
    for (const plan of this.#plans) this.#finishSubmission(plan);
    for (let round = 0; !this.#isOver(); round += 1) {
      if (round > ROUNDS_MAX)
        throw new Error(
          `still not over: ${this.statuses()
            .map(({ taskId, state, acceptedTiles, tiles }) => `${taskId} ${state} ${acceptedTiles}/${tiles}`)
            .join(', ')}`,
        );
      for (const peer of alive) this.#behave(peer);
      this.#wait(ROUND_MS);
    }
  }

  statuses(): TaskStatus[] {
    return this.#plans.flatMap(({ id }) => (id === null ? [] : this.rig.status(id)));
  }

  wasCancelled(task: string): boolean {
    return this.#plans.some(({ id, cancelled }) => id === task && cancelled);
  }

  /** How often each subtask was accepted, over all lives of the head. */
  acceptances(task: TaskId): number[] {
    return acceptedIn(this.#journal, task);
  }

  #isOver(): boolean {
    return this.statuses().every(({ state }) => isTerminal(state));
  }

  #behave(peer: Peer): void {
    if (peer.session === null || !peer.connected || !this.rig.state.sessions.has(peer.session)) this.#rejoin(peer);
    else if (this.rig.provider(peer.name).phase === 'joining') this.#ready(peer);
    else this.#post({ type: 'heartbeat', session: peer.session });
    for (let orders = peer.held.size; orders > 0; orders -= 1) this.#deliver(peer, 0);
    while (this.#checks.length > 0) this.#judge(0, true);
  }

  #rejoin(peer: Peer): void {
    this.#register(peer, 0);
    this.#ready(peer);
  }

  #post(event: HeadEvent): void {
    const effects = this.rig.post(event);
    for (const effect of effects) this.#perform(effect);
    this.#checkPromises();
  }

  #perform(effect: HeadEffect): void {
    if (effect.type === 'append') this.#journal.push(effect);
    else if (effect.type === 'check') this.#expectCheck(effect.lease);
    else if (effect.type === 'keep') this.#expectSingleKeep(effect);
    if (!('session' in effect)) return;
    const peer = this.#peers.find(({ session, connected }) => connected && session === effect.session);
    if (effect.type === 'send-lease') this.#expectCredit(effect);
    if (effect.type === 'send-lease') peer?.held.set(effect.lease, effect);
    else if (effect.type === 'settle') peer?.held.delete(effect.lease);
    else if (effect.type === 'revoke') for (const lease of effect.leases) peer?.held.delete(lease);
  }

  #expectCheck(lease: number): void {
    const order = this.#delivered.at(-1);
    if (order?.lease !== lease || this.#checks.some((other) => other.lease === lease))
      throw new Error(`lease ${lease} is checked, and not because it was just delivered`);
    this.#checks.push(order);
  }

  #expectSingleKeep({ task, index }: HeadEffect & { type: 'keep' }): void {
    if (this.acceptances(task).includes(index)) throw new Error(`the result of subtask ${index} is kept twice`);
  }

  /** A node may come back with more than its credit, results that are not settled among them, but is never given more. */
  #expectCredit({ lease, session }: LeaseOrder): void {
    const { state } = this.rig;
    const provider = state.providers.get(state.leases.get(lease)?.provider ?? ('' as ProviderId));
    if (provider?.session !== session || provider.phase !== 'ready')
      throw new Error(`lease ${lease} goes to a node that is not ready`);
    if (provider.leases.size > provider.credit)
      throw new Error(`${provider.name} has credit for ${provider.credit} leases and got another`);
  }

  #checkPromises(): void {
    for (const { id } of this.#plans) {
      const accepted = id === null ? [] : this.acceptances(id);
      if (new Set(accepted).size < accepted.length) throw new Error(`a subtask of ${id} was accepted twice`);
    }
  }

  // -- steps -----------------------------------------------------------------------------------------------------------

  #submit(plan: Plan): void {
    const wish: Wish = {
      nodes: Math.min(plan.nodes, this.#peers.length),
      ...(plan.id === null ? {} : { task: plan.id }),
    };
    const { count, batch, window } = plan;
    const before = this.rig.effects.length;
    plan.id =
      count === null
        ? this.rig.submitOnly('matrix_mult', eightTiles, wish)
        : this.rig.submitOnly('echo', { count, batch, bytes: 8, ...(window === null ? {} : { window }) }, wish);
    for (const effect of this.rig.effects.slice(before)) this.#perform(effect);
  }

  #finishSubmission(plan: Plan): void {
    if (plan.id === null) this.#submit(plan);
    if (plan.id !== null) this.#post({ type: 'task-durable', task: plan.id });
    for (let block = 0; block < 16; block += 1) this.#bind(plan, block);
  }

  #bind({ id }: Plan, which: number): void {
    if (id === null || this.rig.task(id).operands.size === 0) return;
    const before = this.rig.effects.length;
    this.rig.bind(id, which % 2 === 0 ? 'a' : 'b', (which >> 1) % 8);
    for (const effect of this.rig.effects.slice(before)) this.#perform(effect);
  }

  /** Odd `which`: its process was started anew and holds nothing. */
  #register(peer: Peer, which: number): void {
    if (which % 2 === 1) peer.held.clear();
    peer.connected = false;
    const held = [...peer.held.values()].map(heldOf);
    const before = this.rig.effects.length;
    peer.session = this.rig.register(peer.name, { credit: peer.credit, held });
    const effects = this.rig.effects.slice(before);
    const keep = ofType(effects, 'reply-registered').flatMap((reply) => reply.keep);
    for (const lease of peer.held.keys()) if (!keep.includes(lease)) peer.held.delete(lease);
    for (const effect of effects) this.#perform(effect);
  }

  #ready(peer: Peer): void {
    if (peer.session === null) return;
    peer.connected = true;
    this.#post({ type: 'provider-ready', session: peer.session, sharesStore: peer.sharesStore });
  }

  #close(peer: Peer): void {
    peer.connected = false;
    if (peer.session !== null) this.#post({ type: 'connection-closed', session: peer.session });
  }

  #wait(ms: number): void {
    this.rig.nowMs += ms;
    this.#post({ type: 'tick' });
  }

  /** Under the session that it has now, which may not be the one that the lease came with. */
  #deliver(peer: Peer, which: number): void {
    const order = pick([...peer.held.values()], which);
    if (order !== undefined && peer.session !== null) this.#return({ ...order, session: peer.session });
  }

  #return(order: LeaseOrder | undefined): void {
    if (order === undefined) return;
    this.#delivered.push(order);
    const { session, task, lease } = order;
    this.#post({ type: 'returned', session, task, lease, bytes: 100, computeMs: 5, fetchMs: 1 });
  }

  #judge(which: number, ok: boolean): void {
    const order = pick(this.#checks, which);
    if (order === undefined) return;
    this.#checks = this.#checks.filter((other) => other !== order);
    this.#post({
      type: 'checked',
      lease: order.lease,
      ok,
      why: ok ? '' : 'wrong',
      verifyMs: 1,
      digest: 'd',
      bytes: 100,
    });
  }

  #fail(peer: Peer, which: number): void {
    const order = pick([...peer.held.values()], which);
    if (order === undefined || peer.session === null) return;
    peer.held.delete(order.lease);
    const error = { code: 'COMPUTE_FAILED', what: 'out of memory', why: '', fix: '' } as const;
    this.#post({ type: 'failed', session: peer.session, task: order.task, lease: order.lease, error });
  }

  #undelivered(peer: Peer, which: number): void {
    const order = pick([...peer.held.values()], which);
    if (order === undefined) return;
    peer.held.delete(order.lease);
    this.#post({ type: 'lease-undelivered', lease: order.lease });
  }

  #bye(peer: Peer, which: number): void {
    if (peer.session === null) return;
    const handBack = [...peer.held.keys()].slice(0, which % 4);
    for (const lease of handBack) peer.held.delete(lease);
    this.#post({ type: 'bye', session: peer.session, handBack });
  }

  #cancel(plan: Plan): void {
    if (plan.id === null) return;
    plan.cancelled = true;
    this.#post({ type: 'cancelled', task: plan.id });
  }

  /** The journal is all that is left; nobody knows the new head yet. Verdicts of the old one come to nothing. */
  #restart(): void {
    const { nowMs, drawn } = this.rig;
    this.rig = new ClusterRig({ epoch: ++this.#epoch });
    Object.assign(this.rig, { nowMs, drawn });
    this.rig.state.lastTickMs = nowMs;
    this.#checks = [];
    for (const peer of this.#peers) peer.connected = false;
    for (const { id } of this.#plans) if (id !== null) this.#restore(id);
  }

  #restore(task: TaskId): void {
    const history = historyOf(this.#journal, task);
    this.#post({ type: 'restored', history, taskType: taskTypeNamed(history.record.name) });
  }
}
