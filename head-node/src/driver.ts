/**
 * The one interpreter of the head's effects. Events go in through `post`, in order, one at a time; whatever comes of an effect later is
 * posted as another event. Nothing is decided here.
 */
import {
  toWireError,
  type BlockId,
  type Clock,
  type Logger,
  type Random,
  type TaskId,
  type TaskStatus,
} from '@muster/shared';
import { isDiskFull, type BlockStore, type SpareStock } from '@muster/shared/io';
import type { ClusterState } from './core/cluster-state.ts';
import type { CheckOrder, HeadEffect, LeaseOrder } from './core/effects.ts';
import type { HeadEvent } from './core/events.ts';
import { handle } from './core/handle.ts';
import type { HeadCore } from './core/head-core.ts';
import type { JournalRecord } from './core/journal-record.ts';
import { settledMessages, Settlements, type Settlement } from './core/settlements.ts';
import type { Audience } from './io/audience.ts';
import type { IncomingResults } from './io/incoming-results.ts';
import type { Journal } from './io/journal.ts';
import { leaseFields } from './io/lease-message.ts';
import type { Mirror, MirrorListener } from './io/mirror.ts';
import type { Delivered } from './io/mirrored-results.ts';
import type { ResultStore } from './io/result-store.ts';
import type { TaskPublisher } from './io/task-publisher.ts';
import type { TrainingRuns } from './io/training-runs.ts';
import type { Judge, Judges, Verdict } from './judges/index.ts';
import type { Trust } from './trust/trust.ts';

export interface DriverPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly journal: Journal;
  readonly blocks: BlockStore;
  readonly incoming: IncomingResults;
  readonly results: ResultStore;
  readonly spares: SpareStock;
  /** Limit for all results and checkpoints together. */
  readonly maxResultBytes: number;
  readonly publisher: TaskPublisher;
  /** By task type. */
  readonly judges: Judges;
  readonly runs: TrainingRuns;
  readonly mirror: Mirror;
  readonly epoch: number;
  readonly audience: Audience;
  readonly trust: Pick<Trust, 'quarantined' | 'forgotten'>;
}

/** As many settlements as come in this time share one confirmation. */
const SETTLE_MS = 20;
const ROOM_CHECK_MS = 250;

export class Driver implements HeadCore, MirrorListener {
  readonly state: ClusterState;
  readonly #ports: DriverPorts;
  readonly #events: HeadEvent[] = [];
  readonly #pinned = new Map<TaskId, BlockId[]>();
  readonly #settlements = new Settlements();
  /** Tasks whose end the journal does not have on disk yet. */
  readonly #ending = new Set<TaskId>();
  /** Payloads of inline results, until their check, which follows in the same turn. */
  readonly #payloads = new Map<number, Uint8Array>();
  #keep: readonly number[] = [];
  #busy = false;
  #stopped = false;
  #settling: NodeJS.Timeout | undefined;

  constructor(state: ClusterState, ports: DriverPorts) {
    this.state = state;
    this.#ports = ports;
  }

  post(event: HeadEvent): void {
    if (this.#stopped) return;
    this.#events.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) this.#turn(next);
    } finally {
      this.#busy = false;
    }
  }

  /**
   * From now on events are ignored and nothing is settled: providers keep unsettled results, and verdicts of interrupted checks do not
   * count.
   */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#settling);
  }

  /** Is the copy of its result in the broker still needed? Until the outcome is in the journal, on disk. */
  isOpen(lease: number): boolean {
    return this.state.leases.has(lease) || this.#settlements.has(lease);
  }

  /** Also true for a task whose end a crash could still undo. */
  isRunning(task: TaskId): boolean {
    return this.state.tasks.get(task)?.state === 'running' || this.#ending.has(task);
  }

  isFree(lease: number): boolean {
    return this.state.leases.get(lease)?.phase !== 'checking';
  }

  register(event: HeadEvent & { type: 'registered' }): readonly number[] {
    this.#ports.mirror.admit(event.provider);
    this.post(event);
    return this.#keep;
  }

  /** An event of a training run, whose checkpoint may have grown. */
  trained(event: HeadEvent & { readonly task: TaskId }): void {
    this.post(event);
    this.#boundDisk(event.task);
  }

  returned(event: HeadEvent & { type: 'returned' }, payload: Uint8Array | null): void {
    if (payload !== null) this.#payloads.set(event.lease, payload);
    this.post(event);
    this.#payloads.delete(event.lease);
  }

  delivered({ result, payload }: Delivered): void {
    if (payload !== null) this.#payloads.set(result.lease, payload);
    this.post({ ...result, type: 'delivered' });
    this.#payloads.delete(result.lease);
  }

  #turn(event: HeadEvent): void {
    const moment = { nowMs: this.#ports.clock.nowMs(), random: this.#ports.random() };
    for (const effect of handle(this.state, event, moment)) this.#perform(effect);
  }

  #perform(effect: HeadEffect): void {
    const { journal, publisher, audience } = this.#ports;
    switch (effect.type) {
      case 'reply-registered':
        this.#keep = effect.keep;
        return;
      case 'send-lease':
        return this.#sendLease(effect);
      case 'open-task':
        return publisher.openTask(effect.session, effect.task);
      case 'share-block':
        return publisher.shareBlock(effect.task, effect.block, this.#ports.blocks);
      case 'settle':
        return this.#settle(effect);
      case 'revoke':
        return void publisher.publish(effect.session, {
          type: 'revoke',
          fields: { task: effect.task, leases: [...effect.leases] },
        });
      case 'append':
        this.#mirrorRecord(effect.record);
        return journal.append([effect.record]);
      case 'confirm':
        return this.#confirm(effect.task);
      case 'await-mirror':
        return void this.#awaitMirror(effect.task);
      case 'quarantined':
        return this.#ports.trust.quarantined(effect);
      case 'dismiss':
        return this.#ports.mirror.dismiss(effect.provider);
      case 'mirror-kept':
        return this.#ports.mirror.cut(effect.task);
      case 'mirror-block':
        return this.#ports.mirror.block(effect.task, effect.block);
      case 'operands-complete':
        return this.#judgeOf(effect.taskType).open(effect);
      case 'check':
        return this.#check(effect);
      case 'discard':
        if (!this.isOpen(effect.lease)) this.#ports.mirror.settled([effect.lease]);
        return this.#ports.incoming.discard(effect);
      case 'keep':
        return this.#keepResult(effect);
      case 'announce':
        return audience.tile(effect.task, {
          ...effect.tile,
          path: this.#ports.results.pathOf(effect.task, effect.tile.index),
        });
      case 'fold':
        return this.#ports.runs.fold(effect);
      case 'ended':
        return this.#ended(effect.task, effect.status);
      case 'forget':
        return this.#removeResults(effect.task);
      case 'log':
        return this.#ports.logger[effect.level]({ node: effect.node }, effect.text);
    }
  }

  #ended(task: TaskId, status: TaskStatus): void {
    this.#judgeOf(status.task).close(task);
    this.#ports.publisher.closeTask(task);
    this.#ports.incoming.end(task);
    this.#unpin(task);
    this.#tellEnd(task, status);
  }

  /** Clients rely on the end, and the broker deletes all it has of the task: neither before a crash can no longer undo the end. */
  #tellEnd(task: TaskId, status: TaskStatus): void {
    const { journal, mirror, audience } = this.#ports;
    this.#ending.add(task);
    journal.durable().then(() => {
      this.#ending.delete(task);
      if (this.#stopped) return;
      mirror.ended(task);
      audience.ended(task, status);
    }, this.#journalFailed);
  }

  /**
   * Files go only after the journal has it on disk: otherwise a crash in between would leave subtasks that are accepted but have no
   * results.
   */
  #removeResults(task: TaskId): void {
    const { journal, results, runs, trust } = this.#ports;
    results.giveUp(task);
    runs.giveUp(task);
    const remove = (): void => {
      results.remove(task);
      runs.forget(task);
      // The task may have been submitted again under the same id.
      if (!this.state.tasks.has(task)) trust.forgotten(task);
    };
    journal.durable().then(remove, this.#journalFailed);
  }

  #keepResult(result: HeadEffect & { type: 'keep' }): void {
    const { task, index, lease, bytes, digest } = result;
    const { incoming, results, spares } = this.#ports;
    try {
      results.accept(task, index, incoming.pathOf({ task, lease }));
    } catch (error) {
      return this.#notKept(result, error);
    }
    spares.used(bytes);
    this.post({ type: 'kept', lease, bytes, digest });
    this.#boundDisk(task);
  }

  /** `task` is the one whose result or checkpoint has grown. */
  #boundDisk(task: TaskId): void {
    const { results, runs, maxResultBytes } = this.#ports;
    const excessBytes = results.usedBytes + runs.checkpointBytes - maxResultBytes;
    if (excessBytes > 0) this.post({ type: 'results-too-large', task, excessBytes });
  }

  /** On a full disk it is tried again until there is room; any other error is reported as a check without a verdict. */
  #notKept(result: HeadEffect & { type: 'keep' }, error: unknown): void {
    const { task, lease } = result;
    if (!isDiskFull(error)) return this.post({ type: 'check-failed', lease, error: toWireError(error) });
    this.#ports.logger.warn({ task, lease }, 'there is no room for a result; waiting for some');
    setTimeout(() => {
      if (!this.#stopped && this.state.leases.has(lease)) this.#keepResult(result);
    }, ROOM_CHECK_MS);
  }

  #sendLease(order: LeaseOrder): void {
    const { session, lease, task, ranges, payload, provider } = order;
    const { mirror, publisher, epoch, logger } = this.#ports;
    logger.debug({ task, lease, ranges, node: provider }, 'lease given');
    const undelivered = (): void => this.post({ type: 'lease-undelivered', lease });
    const send = (): void => {
      if (!this.state.leases.has(lease)) return;
      const frames = publisher.publish(session, { type: 'lease', fields: leaseFields(order), payload }, undelivered);
      mirror.copyLease(order, frames);
      if (order.durability === 'strict') this.post({ type: 'lease-sent', lease });
    };
    mirror.leaseFirst(order, epoch, { send, fail: undelivered });
  }

  /** A task is in the state before its first record is written, until its last one is. */
  #mirrorRecord(record: JournalRecord): void {
    const task = this.state.tasks.get(record.task);
    if (task !== undefined && task.durability !== 'local') this.#ports.mirror.record(record);
  }

  async #awaitMirror(task: TaskId): Promise<void> {
    const lost = await this.#ports.mirror.complete(task);
    this.post({ type: 'mirrored', task, lost });
  }

  #settle(settlement: Settlement): void {
    if (this.#settlements.add(settlement)) this.#settling = setTimeout(() => this.#confirmSettlements(), SETTLE_MS);
  }

  #confirmSettlements(): void {
    const settlements = this.#settlements.take();
    this.#ports.journal.durable().then(() => this.#publishSettlements(settlements), this.#journalFailed);
  }

  #publishSettlements(settlements: readonly Settlement[]): void {
    const { mirror, publisher } = this.#ports;
    const settled = this.#settlements.written(settlements, (lease) => this.state.leases.has(lease));
    mirror.settled(settled.map(({ lease }) => lease));
    for (const { session, task, leases } of settledMessages(settled))
      publisher.publish(session, { type: 'settled', fields: { task, leases } });
  }

  #confirm(task: TaskId): void {
    const local = this.state.tasks.get(task)?.durability === 'local';
    const confirmed = (): void => {
      this.post({ type: 'task-durable', task });
      this.#ports.audience.accepted(task);
    };
    const { journal, mirror } = this.#ports;
    Promise.all([journal.durable(), local ? null : mirror.recorded(task)]).then(confirmed, this.#journalFailed);
  }

  /** Without the journal no promise can be kept: stop, and leave the restart on a working disk to the supervisor. */
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

  #check(order: CheckOrder): void {
    const failed = (error: unknown): void =>
      this.post({ type: 'check-failed', lease: order.lease, error: toWireError(error) });
    const checked = (verdict: Verdict): void =>
      this.post({ type: 'checked', lease: order.lease, bytes: order.returned.bytes, ...verdict });
    const verdict = this.#judgeOf(order.taskType).judge(order, this.#payloads.get(order.lease) ?? null);
    if (verdict instanceof Promise) void verdict.then(checked, failed);
    else checked(verdict);
  }

  #judgeOf(taskType: string): Judge {
    const judge = this.#ports.judges[taskType];
    if (judge === undefined) throw new Error(`nobody judges results of ${taskType}`);
    return judge;
  }
}
