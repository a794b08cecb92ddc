/**
 * The one interpreter of the head's effects. Events go in through `post`, in order, one at a time; whatever an effect brings
 * about later comes back as another event. Nothing here decides anything.
 */
import {
  isMusterError,
  toWireError,
  type BlockId,
  type Clock,
  type Logger,
  type MatrixMultSpec,
  type Random,
  type SessionId,
  type TaskId,
  type TaskStatus,
  type TileNotice,
} from '@muster/shared';
import { checkEcho, type EchoSpec } from '@muster/shared';
import { incomingResultName, type BlockStore, type SpareStock } from '@muster/shared/io';
import { rmSync } from 'node:fs';
import type { ClusterState } from './core/cluster-state.ts';
import type { CheckOrder, HeadEffect, LeaseOrder } from './core/effects.ts';
import type { HeadEvent } from './core/events.ts';
import { handle } from './core/handle.ts';
import type { Journal } from './io/journal.ts';
import type { ResultStore } from './io/result-store.ts';
import type { TaskPublisher } from './io/task-publisher.ts';
import type { Verifier } from './verify/index.ts';

export interface DriverPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly journal: Journal;
  readonly blocks: BlockStore;
  readonly results: ResultStore;
  readonly spares: SpareStock;
  /** Results of ended tasks go, the oldest first, when all results together take more. */
  readonly maxResultBytes: number;
  readonly publisher: TaskPublisher;
  readonly verifier: Verifier;
  readonly audience: Audience;
}

/** Clients that wait for a task. */
export interface Audience {
  accepted(task: TaskId): void;
  tile(task: TaskId, tile: TileNotice): void;
  ended(task: TaskId, status: TaskStatus): void;
}

interface Settlement {
  readonly session: SessionId;
  readonly task: TaskId;
  readonly lease: number;
}

/** Nobody waits for a settlement, so as many as come in this time share one. */
const SETTLE_MS = 20;

export class Driver {
  readonly state: ClusterState;
  readonly #ports: DriverPorts;
  readonly #events: HeadEvent[] = [];
  readonly #pinned = new Map<TaskId, BlockId[]>();
  readonly #settlements: Settlement[] = [];
  /** Payloads of inline results, until their check, which follows in the same turn. */
  readonly #payloads = new Map<number, Uint8Array>();
  #keep: readonly number[] = [];
  #busy = false;
  #settling: NodeJS.Timeout | undefined;

  constructor(state: ClusterState, ports: DriverPorts) {
    this.state = state;
    this.#ports = ports;
  }

  post(event: HeadEvent): void {
    this.#events.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) this.#turn(next);
    } finally {
      this.#busy = false;
    }
  }

  /** Nothing is settled any more: providers keep what was not. */
  stop(): void {
    clearTimeout(this.#settling);
  }

  /** Leases that a provider that registers shall go on with. */
  register(event: HeadEvent & { type: 'registered' }): readonly number[] {
    this.post(event);
    return this.#keep;
  }

  returned(event: HeadEvent & { type: 'returned' }, payload: Uint8Array | null): void {
    if (payload !== null) this.#payloads.set(event.lease, payload);
    this.post(event);
    this.#payloads.delete(event.lease);
  }

  #turn(event: HeadEvent): void {
    const moment = { nowMs: this.#ports.clock.nowMs(), random: this.#ports.random() };
    for (const effect of handle(this.state, event, moment)) this.#perform(effect);
  }

  #perform(effect: HeadEffect): void {
    const { journal, publisher, audience, verifier } = this.#ports;
    switch (effect.type) {
      case 'reply-registered':
        this.#keep = effect.keep;
        return;
      case 'send-lease':
        return this.#sendLease(effect);
      case 'open-task':
        return publisher.publish(effect.session, { type: 'open', fields: { task: effect.task } });
      case 'share-block':
        return publisher.shareBlock(effect.task, effect.block, this.#ports.blocks);
      case 'settle':
        return this.#settle(effect);
      case 'revoke':
        return publisher.publish(effect.session, {
          type: 'revoke',
          fields: { task: effect.task, leases: [...effect.leases] },
        });
      case 'append':
        return journal.append([effect.record]);
      case 'confirm':
        return this.#confirm(effect.task);
      case 'operands-complete':
        return this.#openVerifier(effect);
      case 'check':
        return this.#check(effect);
      case 'discard':
        return rmSync(this.#incoming(effect.task, effect.lease), { force: true });
      case 'keep':
        return this.#keepResult(effect);
      case 'announce':
        return audience.tile(effect.task, {
          ...effect.tile,
          path: this.#ports.results.pathOf(effect.task, effect.tile.index),
        });
      case 'ended':
        verifier.close(effect.task);
        publisher.closeTask(effect.task);
        this.#unpin(effect.task);
        return audience.ended(effect.task, effect.status);
      case 'forget':
        return this.#ports.results.remove(effect.task);
      case 'log':
        return this.#ports.logger[effect.level]({ node: effect.node }, effect.text);
    }
  }

  #keepResult({ task, index, lease }: HeadEffect & { type: 'keep' }): void {
    const { results, spares, maxResultBytes } = this.#ports;
    results.accept(task, index, this.#incoming(task, lease));
    spares.used(results.bytesOf(task, index) ?? 0);
    if (results.usedBytes > maxResultBytes) this.post({ type: 'results-too-large' });
  }

  #incoming(task: TaskId, lease: number): string {
    return this.#ports.blocks.incomingPath(incomingResultName(task, lease));
  }

  #sendLease({ session, lease, task, taskType, ranges, work, payload }: LeaseOrder): void {
    const fields = { task, lease, taskType, ranges: [...ranges], work };
    this.#ports.logger.debug({ task, lease, ranges, node: this.state.sessions.get(session) }, 'lease given');
    this.#ports.publisher.publish(session, { type: 'lease', fields, payload }, () =>
      this.post({ type: 'lease-undelivered', lease }),
    );
  }

  /** Providers may forget a result only when the journal has it on disk. Many results share one confirmation. */
  #settle(settlement: Settlement): void {
    this.#settlements.push(settlement);
    if (this.#settling === undefined) this.#settling = setTimeout(() => this.#confirmSettlements(), SETTLE_MS);
  }

  #confirmSettlements(): void {
    this.#settling = undefined;
    const settlements = this.#settlements.splice(0);
    this.#ports.journal.durable().then(() => this.#publishSettlements(settlements), this.#journalFailed);
  }

  #publishSettlements(settlements: readonly Settlement[]): void {
    const groups = new Map<string, Settlement & { leases: number[] }>();
    for (const settlement of settlements) {
      const key = `${settlement.session} ${settlement.task}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { ...settlement, leases: [settlement.lease] });
      else group.leases.push(settlement.lease);
    }
    for (const { session, task, leases } of groups.values())
      this.#ports.publisher.publish(session, { type: 'settled', fields: { task, leases } });
  }

  #confirm(task: TaskId): void {
    const confirmed = (): void => {
      this.post({ type: 'task-durable', task });
      this.#ports.audience.accepted(task);
    };
    this.#ports.journal.durable().then(confirmed, this.#journalFailed);
  }

  /** Without a journal nothing that we say can be kept: stop, and let the supervisor start us on a disk that works. */
  readonly #journalFailed = (error: unknown): void => {
    this.#ports.logger.error({ error }, 'the journal cannot be written; stopping');
    throw error;
  };

  pin(task: TaskId, block: BlockId): void {
    this.#ports.blocks.pin(block);
    const pinned = this.#pinned.get(task);
    if (pinned === undefined) this.#pinned.set(task, [block]);
    else pinned.push(block);
  }

  #unpin(task: TaskId): void {
    for (const block of this.#pinned.get(task) ?? []) this.#ports.blocks.unpin(block);
    this.#pinned.delete(task);
  }

  #openVerifier({ task, taskType, spec, operands }: HeadEffect & { type: 'operands-complete' }): void {
    if (taskType !== 'matrix_mult') return;
    const paths = (name: string): string[] => (operands.get(name) ?? []).map((id) => this.#ports.blocks.pathOf(id));
    this.#ports.verifier.open(task, {
      spec: spec as MatrixMultSpec,
      aPaths: paths('a'),
      bPaths: paths('b'),
      bIds: [...(operands.get('b') ?? [])],
    });
  }

  #check(order: CheckOrder): void {
    if (order.taskType === 'echo') return this.#checkEcho(order);
    const [r0 = 0, r1 = 0, c0 = 0, c1 = 0] = order.region;
    const tile = {
      task: order.task,
      path: this.#incoming(order.task, order.lease),
      rows: [r0, r1],
      columns: [c0, c1],
    } as const;
    const failed = (error: unknown): void =>
      this.#checked(order, { ok: false, why: isMusterError(error) ? error.message : toWireError(error).what });
    this.#ports.verifier.check(tile).then((outcome) => {
      const why = outcome.ok
        ? ''
        : `residual ${outcome.residual.toExponential(2)} above ${outcome.threshold.toExponential(2)}`;
      this.#checked(order, { ...outcome, why });
    }, failed);
  }

  #checked(
    { lease, returned }: CheckOrder,
    outcome: { ok: boolean; why: string; verifyMs?: number; digest?: string },
  ): void {
    const { ok, why, verifyMs = 0, digest = '' } = outcome;
    this.post({ type: 'checked', lease, ok, why, verifyMs, digest, bytes: returned.bytes });
  }

  #checkEcho(order: CheckOrder): void {
    const payload = this.#payloads.get(order.lease);
    const ok = payload !== undefined && checkEcho(order.spec as EchoSpec, order.indices, payload);
    this.#checked(order, { ok, why: ok ? '' : 'the echo differs from what was sent' });
  }
}
