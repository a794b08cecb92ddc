/**
 * A head's core with everything around it played by the test: the journal answers at once, blocks are whatever the test says
 * is bound, and providers do nothing of their own accord. Time stands still until the test moves it. The invariants are
 * asserted after every event.
 */
import {
  seededRandom,
  taskTypeNamed,
  toWireError,
  MusterError,
  type BlockId,
  type DeviceFacts,
  type ErrorCode,
  type HeldLease,
  type ProviderId,
  type SessionId,
  type TaskId,
  type TaskStatus,
} from '@muster/shared';
import { deviceFacts } from '@muster/shared/testkit';
import { newClusterState, type ClusterState, type Provider, type Task } from '../../src/core/cluster-state.ts';
import type { HeadEffect, LeaseOrder } from '../../src/core/effects.ts';
import type { HeadEvent, Submission } from '../../src/core/events.ts';
import { handle } from '../../src/core/handle.ts';
import { fromRanges } from '../../src/core/index-ranges.ts';
import type { JournalRecord, TaskHistory } from '../../src/core/journal-record.ts';
import { assertInvariants } from '../../src/core/invariants.ts';
import { defaultPolicy, type Policy } from '../../src/core/policy.ts';
import { statusOf } from '../../src/core/views.ts';

export type EffectOf<T extends HeadEffect['type']> = HeadEffect & { readonly type: T };

export interface Joining {
  readonly credit?: number;
  readonly device?: Partial<DeviceFacts>;
  readonly sharesStore?: boolean;
  readonly held?: readonly HeldLease[];
}

export interface RigOptions {
  readonly policy?: Partial<Policy>;
  readonly epoch?: number;
  /** Off where a task is so large that looking at every subtask after every event, or keeping every effect, takes too long. */
  readonly watched?: boolean;
}

/** What a test may say of a submission; the rest is what a client would send. */
export type SubmitOptions = Partial<
  Pick<Submission, 'task' | 'nodes' | 'waitNodesMs' | 'timeoutMs' | 'durability' | 'user'>
>;

const hex = (digits: number, value: number): string => value.toString(16).padStart(digits, '0');

export class ClusterRig {
  readonly state: ClusterState;
  nowMs = 1000;
  /** Everything that the core asked for, in order. */
  readonly effects: HeadEffect[] = [];
  /** Leases on the wire by number, until they are answered or revoked. */
  readonly orders = new Map<number, LeaseOrder>();
  readonly #watched: boolean;
  readonly #random = seededRandom(7);
  /** Numbers of sessions and tasks drawn so far. */
  drawn = 0;

  constructor({ policy = {}, epoch = 1, watched = true }: RigOptions = {}) {
    this.#watched = watched;
    this.state = newClusterState({ ...defaultPolicy, ...policy }, epoch, this.nowMs);
  }

  post(event: HeadEvent): HeadEffect[] {
    const effects = handle(this.state, event, { nowMs: this.nowMs, random: this.#random() });
    for (const effect of effects) this.#note(effect);
    if (this.#watched) assertInvariants(this.state);
    return effects;
  }

  #note(effect: HeadEffect): void {
    if (this.#watched) this.effects.push(effect);
    if (effect.type === 'send-lease') this.orders.set(effect.lease, effect);
    else if (effect.type === 'revoke') for (const lease of effect.leases) this.orders.delete(lease);
  }

  // -- providers -------------------------------------------------------------------------------------------------------

  /** Registers and says that it is ready. */
  join(name: string, joining: Joining = {}): SessionId {
    const session = this.register(name, joining);
    this.post({ type: 'provider-ready', session, sharesStore: joining.sharesStore ?? true });
    return session;
  }

  register(name: string, { credit = 4, device = {}, held = [] }: Joining = {}): SessionId {
    const session = hex(32, ++this.drawn) as SessionId;
    const provider = idOf(name);
    this.post({
      type: 'registered',
      provider,
      session,
      name,
      platform: 'test-x64',
      device: deviceFacts(device),
      credit,
      held,
    });
    return session;
  }

  provider(name: string): Provider {
    return existing(this.state.providers.get(idOf(name)), name);
  }

  /** Leases that lie with a provider, by the name it registered with. */
  ordersOf(name: string): LeaseOrder[] {
    const { leases } = this.provider(name);
    return [...this.orders.values()].filter(({ lease }) => leases.has(lease));
  }

  // -- tasks -----------------------------------------------------------------------------------------------------------

  /** Submits and lets the journal confirm. */
  submit(type: string, spec: object, wish: SubmitOptions = {}): TaskId {
    const task = this.submitOnly(type, spec, wish);
    this.post({ type: 'task-durable', task });
    return task;
  }

  submitOnly(type: string, raw: object, wish: SubmitOptions = {}): TaskId {
    const taskType = taskTypeNamed(type);
    const task = wish.task ?? (hex(16, ++this.drawn) as TaskId);
    const terms = { nodes: 1, waitNodesMs: 30_000, timeoutMs: 3_600_000, durability: 'mirrored' } as const;
    this.post({ ...terms, user: null, ...wish, type: 'submitted', task, taskType, spec: taskType.parseSpec(raw) });
    return task;
  }

  echo(fields: { count: number; batch?: number; window?: number }, wish: SubmitOptions = {}): TaskId {
    return this.submit('echo', { bytes: 8, batch: 1, ...fields }, wish);
  }

  /** A product of eight tiles, one for each column stripe of B, with its operands bound. */
  product(wish: SubmitOptions = {}): TaskId {
    const task = this.submit('matrix_mult', eightTiles, wish);
    this.bindAll(task);
    return task;
  }

  bindAll(task: TaskId): void {
    for (const [operand, { ids }] of this.task(task).operands)
      ids.forEach((_, block) => this.bind(task, operand, block));
  }

  bind(task: TaskId, operand: string, block: number): HeadEffect[] {
    return this.post({ type: 'bound', task, operand, block, id: blockIdFor(operand, block), bytes: 1000 });
  }

  task(id: TaskId): Task {
    return existing(this.state.tasks.get(id), id);
  }

  status(id: TaskId): TaskStatus {
    return statusOf(this.state, this.task(id), this.nowMs);
  }

  // -- results ---------------------------------------------------------------------------------------------------------

  /** The provider delivers; the check is still to come. */
  deliver({ session, task, lease }: LeaseOrder): HeadEffect[] {
    this.orders.delete(lease);
    return this.post({ type: 'returned', session, task, lease, bytes: 100, computeMs: 5, fetchMs: 1 });
  }

  /** With room for what is right. */
  checked(order: LeaseOrder, ok: boolean): HeadEffect[] {
    const effects = this.verdict(order, ok);
    const kept = ofType(effects, 'keep').flatMap(({ lease, bytes, digest }) =>
      this.post({ type: 'kept', lease, bytes, digest }),
    );
    return [...effects, ...kept];
  }

  verdict({ lease }: LeaseOrder, ok: boolean): HeadEffect[] {
    const why = ok ? '' : 'residual too large';
    return this.post({ type: 'checked', lease, ok, why, verifyMs: 1, digest: 'd', bytes: 100 });
  }

  /** Delivered and found right (or wrong). */
  complete(order: LeaseOrder, ok = true): HeadEffect[] {
    return [...this.deliver(order), ...this.checked(order, ok)];
  }

  fail({ session, task, lease }: LeaseOrder, what = 'out of memory', code: ErrorCode = 'COMPUTE_FAILED'): HeadEffect[] {
    this.orders.delete(lease);
    return this.post({
      type: 'failed',
      session,
      task,
      lease,
      error: toWireError(new MusterError(code, what)),
    });
  }

  /** Everybody works until nothing is left on the wire. */
  drain(): void {
    for (let order = this.#next(); order !== undefined; order = this.#next()) this.complete(order);
  }

  #next(): LeaseOrder | undefined {
    return this.orders.values().next().value;
  }

  // -- time ------------------------------------------------------------------------------------------------------------

  /** Ticks every `stepMs`; the sessions in `alive` send a heartbeat with each. */
  pass(ms: number, { alive = [], stepMs = 100 }: { alive?: readonly SessionId[]; stepMs?: number } = {}): HeadEffect[] {
    const effects: HeadEffect[] = [];
    for (const end = this.nowMs + ms; this.nowMs < end;) {
      this.nowMs = Math.min(end, this.nowMs + stepMs);
      for (const session of alive) effects.push(...this.post({ type: 'heartbeat', session, linkBytesPerMs: 0 }));
      effects.push(...this.post({ type: 'tick' }));
    }
    return effects;
  }

  // -- what was seen ---------------------------------------------------------------------------------------------------

  sent(task: TaskId): EffectOf<'send-lease'>[] {
    return ofType(this.effects, 'send-lease').filter((effect) => effect.task === task);
  }

  /** How often the journal was told that each subtask is accepted. */
  acceptances(task: TaskId): Map<number, number> {
    const counts = new Map<number, number>();
    for (const index of acceptedIn(this.effects, task)) counts.set(index, (counts.get(index) ?? 0) + 1);
    return counts;
  }
}

/** Longest stripes a side, and too little arithmetic for finer tiles: 8 blocks each of A and B whatever the nodes. */
export const eightTiles = { m: 4096, k: 64, n: 4096, dtype: 'float32', grid: 'auto' };
export const TILES = 8;

export const idOf = (name: string): ProviderId => Buffer.from(name).toString('hex').padStart(16, '0') as ProviderId;

export const blockIdFor = (operand: string, block: number): BlockId =>
  hex(32, block + 1).replace(/^0/, operand) as BlockId;

export const ofType = <T extends HeadEffect['type']>(effects: readonly HeadEffect[], type: T): EffectOf<T>[] =>
  effects.filter((effect): effect is EffectOf<T> => effect.type === type);

export const indicesOf = ({ ranges }: Pick<LeaseOrder, 'ranges'>): number[] => fromRanges(ranges);

export const heldOf = ({ task, lease, attempt, ranges }: LeaseOrder): HeldLease => ({
  task,
  lease,
  attempt,
  ranges: [...ranges],
});

export function acceptedIn(effects: readonly HeadEffect[], task: TaskId): number[] {
  return ofType(effects, 'append').flatMap(({ record }) => {
    if (record.task !== task) return [];
    if (record.type === 'subtask') return [record.index];
    return record.type === 'subtasks' ? fromRanges(record.ranges) : [];
  });
}

/** What a journal that was told all this says of a task. */
export function historyOf(effects: readonly HeadEffect[], task: TaskId): TaskHistory {
  const records = ofType(effects, 'append').flatMap(({ record }) => (record.task === task ? [record] : []));
  const all = <T extends JournalRecord['type']>(type: T): (JournalRecord & { type: T })[] =>
    records.filter((record): record is JournalRecord & { type: T } => record.type === type);
  return {
    record: existing(all('task')[0], `record of task ${task}`),
    bound: all('bound'),
    plan: all('planned')[0]?.plan ?? null,
    subtasks: all('subtask'),
    ranges: all('subtasks'),
    ended: all('ended')[0] ?? null,
    epoch: 1,
  };
}

/** The next life of the head, with that task out of the journal. */
export function restarted(rig: ClusterRig, task: TaskId): ClusterRig {
  const next = new ClusterRig({ epoch: 2 });
  const history = historyOf(rig.effects, task);
  next.post({ type: 'restored', history, taskType: taskTypeNamed(history.record.name), user: null });
  return next;
}

function existing<T>(found: T | undefined, name: string): T {
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

/** The one item that there is. */
export const only = <T>(items: readonly T[]): T => {
  if (items.length !== 1) throw new Error(`expected one item, got ${items.length}`);
  return items[0]!;
};
