/**
 * One life of the head: the real core, and an interpreter of its effects that mirrors head-node/src/driver.ts on simulated
 * disk, network and verifier.
 */
import { MusterError, toWireError, type TaskId, type TaskStatus } from '@muster/shared';
import {
  assertInvariants,
  settledMessages,
  Settlements,
  type CheckOrder,
  type ClusterState,
  type HeadEffect,
  type HeadEvent,
  type JournalRecord,
  type LeaseOrder,
  type Policy,
  type Settlement,
} from '@muster/head-node/core';
import type { Broker } from '../broker/broker.ts';
import { HeadMirror, type DeliveredMessage } from '../broker/head-mirror.ts';
import { describeHeadEvent } from '../describe.ts';
import type { Draw } from '../draw.ts';
import { headCore, type HeadCore } from '../plants.ts';
import { SimProcess } from '../sim-process.ts';
import type { World } from '../world.ts';
import { ClientDesk } from './client-desk.ts';
import type { HeadFiles } from './head-files.ts';
import { Journal, type JournalDisk } from './journal.ts';
import { Publisher } from './publisher.ts';
import { Registration } from './registration.ts';
import { ResultIntake, type ResultMessage } from './result-intake.ts';
import { Trainer } from './trainer.ts';

const TICK_MS = 50;
const SETTLE_MS = 20;
const ROOM_CHECK_MS = 250;
const CHECK_MS = { least: 0.5, most: 8 };

export interface HeadPorts {
  readonly world: World;
  readonly disk: JournalDisk;
  readonly files: HeadFiles;
  readonly broker: Broker | null;
  /** Called when this life cannot go on. */
  readonly fail: (reason: string) => void;
}

/** Noted only when they have effects. */
const ROUTINE: ReadonlySet<string> = new Set(['tick', 'heartbeat']);

export class HeadLife {
  readonly epoch: number;
  readonly policy: Policy;
  readonly state: ClusterState;
  readonly process: SimProcess;
  readonly files: HeadFiles;
  readonly journal: Journal;
  readonly publisher: Publisher;
  readonly registration: Registration;
  readonly intake: ResultIntake;
  readonly desk: ClientDesk;
  readonly mirror: HeadMirror;
  readonly trainer: Trainer;
  readonly #world: World;
  readonly #ports: HeadPorts;
  readonly #core: HeadCore;
  readonly #draw: Draw;
  readonly #events: HeadEvent[] = [];
  readonly #settlements = new Settlements();
  /** Tasks that have ended, as long as that is not on disk. */
  readonly #ending = new Set<TaskId>();
  /** Whether the bytes of an inline result are correct; kept until its check, in the same turn. */
  readonly #inline = new Map<number, boolean>();
  #keep: readonly number[] = [];
  readonly #early: (() => void)[] = [];
  #serving = false;
  #busy = false;

  constructor(ports: HeadPorts) {
    const { world, disk, files } = ports;
    this.#ports = ports;
    this.#world = world;
    this.files = files;
    this.epoch = disk.epoch;
    this.policy = world.scenario.policy;
    this.#core = headCore(world.plant);
    this.#draw = world.draw.fork(`head ${this.epoch}`);
    this.process = new SimProcess(world.timeline);
    this.journal = new Journal({ world, disk, process: this.process });
    this.state = this.#core.newClusterState(this.policy, this.epoch, this.nowMs);
    this.registration = new Registration(this, this.#draw.fork('registration'));
    this.publisher = new Publisher(world, {
      onOpened: (session) => this.registration.subscribed(session),
      onClosed: (session) => this.registration.unsubscribed(session),
    });
    this.intake = new ResultIntake(this);
    this.desk = new ClientDesk(this);
    this.mirror = new HeadMirror(world, ports.broker, this);
    this.trainer = new Trainer(world, this, this.#draw.fork('trainer'));
  }

  get nowMs(): number {
    return this.#world.timeline.nowMs;
  }

  /** Called after the journal is restored: takes in what the broker has, then serves everybody. */
  serve(): void {
    this.mirror.start(() => {
      this.post({ type: 'recovered' });
      this.process.every(TICK_MS, () => this.post({ type: 'tick' }));
      this.#serving = true;
      for (const run of this.#early.splice(0)) run();
    });
  }

  /** The sockets exist from the start, but are not read before the head has recovered. */
  hear(run: () => void): void {
    this.process.hear(() => {
      if (this.#serving) run();
      else this.#early.push(run);
    });
  }

  /** For records that restoring itself produces. */
  write(record: JournalRecord): void {
    this.#world.witness.appended(record);
    this.journal.append(record);
  }

  isOpen(lease: number): boolean {
    return this.state.leases.has(lease) || this.#settlements.has(lease);
  }

  isRunning(task: TaskId): boolean {
    return this.state.tasks.get(task)?.state === 'running' || this.#ending.has(task);
  }

  post(event: HeadEvent): void {
    this.#events.push(event);
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) this.#turn(next);
    this.#busy = false;
  }

  register(event: HeadEvent & { type: 'registered' }): readonly number[] {
    this.post(event);
    this.#world.witness.registered(event, this.#keep);
    return this.#keep;
  }

  returned(message: ResultMessage): void {
    const { session, task, lease, bytes, computeMs, fetchMs, correct, by } = message;
    if (by === 'inline') this.#inline.set(lease, correct);
    this.#world.witness.arrives(message);
    this.post({ type: 'returned', session, task, lease, bytes, computeMs, fetchMs });
    this.#inline.delete(lease);
  }

  delivered(message: DeliveredMessage): void {
    const { lease, way, correct } = message;
    if (way === 'inline') this.#inline.set(lease, correct);
    this.#world.witness.arrives({ ...message, session: null });
    this.post({ type: 'delivered', ...message });
    this.#inline.delete(lease);
  }

  #turn(event: HeadEvent): void {
    const { chronicle, witness } = this.#world;
    chronicle.events += 1;
    const effects = this.#core.handle(this.state, event, { nowMs: this.nowMs, random: this.#draw.unit() });
    if (!ROUTINE.has(event.type) || effects.length > 0) chronicle.note('head', describeHeadEvent(event, effects));
    assertInvariants(this.state);
    witness.handled(this.state, event, effects);
    for (const effect of effects) this.#perform(effect);
    if (effects.some(({ type }) => type === 'append')) this.#tempt();
  }

  /** A crash between a decision and its record on disk is what the journal is for. */
  #tempt(): void {
    if (this.#world.faults.strikes('crash-point'))
      this.process.after(this.#draw.between(0, 30), () => this.#ports.fail('crash point'));
  }

  #perform(effect: HeadEffect): void {
    switch (effect.type) {
      case 'reply-registered':
        this.#keep = effect.keep;
        return;
      case 'send-lease':
        return this.#sendLease(effect);
      // Sharing is not simulated: each provider fetches its blocks.
      case 'open-task':
      case 'share-block':
      // Blocks are mirrored as they are offered, so none is kept back.
      case 'mirror-kept':
      case 'dismiss':
      case 'quarantined':
      case 'announce':
      case 'log':
        return;
      case 'operands-complete':
        return effect.taskType === 'train' ? this.trainer.open(effect) : undefined;
      case 'fold':
        return this.trainer.fold(effect);
      case 'settle':
        return this.#settle(effect);
      case 'revoke':
        return this.publisher.publish(effect.session, { type: 'revoke', leases: effect.leases });
      case 'append':
        if (this.state.tasks.get(effect.record.task)?.durability !== 'local') this.mirror.record(effect.record);
        return this.journal.append(effect.record);
      case 'confirm':
        return this.#confirm(effect.task);
      case 'mirror-block':
        return this.mirror.block(effect.task, effect.block);
      case 'await-mirror':
        return this.mirror.complete(effect.task, (lost) => this.post({ type: 'mirrored', task: effect.task, lost }));
      case 'check':
        return this.#check(effect);
      case 'discard':
        if (!this.isOpen(effect.lease)) this.mirror.settled([effect.lease]);
        return this.files.discard(effect.task, effect.lease);
      case 'keep':
        return this.#keepResult(effect);
      case 'ended':
        this.files.end(effect.task);
        this.trainer.close(effect.task);
        return this.#tellEnd(effect.task, effect.status);
      case 'forget':
        this.files.giveUp(effect.task);
        return this.journal.durable(() => this.files.remove(effect.task));
    }
  }

  #tellEnd(task: TaskId, status: TaskStatus): void {
    this.#ending.add(task);
    this.journal.durable(() => {
      this.#ending.delete(task);
      this.mirror.ended(task);
      this.desk.ended(task, status);
    });
  }

  #keepResult(effect: HeadEffect & { type: 'keep' }): void {
    if (!this.journal.hasRoom) return this.#keepLater(effect);
    const { witness, faults, scenario } = this.#world;
    const { lease, bytes, digest } = effect;
    witness.kept(effect, this.files.accept(effect));
    this.post({ type: 'kept', lease, bytes, digest });
    const excessBytes = this.files.resultBytes - scenario.maxResultBytes;
    if (excessBytes <= 0) return;
    faults.count('small-store');
    this.post({ type: 'results-too-large', task: effect.task, excessBytes });
  }

  #keepLater(effect: HeadEffect & { type: 'keep' }): void {
    this.process.after(ROOM_CHECK_MS, () => {
      if (this.state.leases.has(effect.lease)) this.#keepResult(effect);
    });
  }

  #sendLease(order: LeaseOrder): void {
    const { session, lease } = order;
    const undelivered = (): void => this.post({ type: 'lease-undelivered', lease });
    const send = (): void => {
      if (!this.state.leases.has(lease)) return;
      this.#world.witness.sent(lease);
      this.publisher.publish(session, { type: 'lease', order }, undelivered);
      this.mirror.copyLease(order);
      if (order.durability === 'strict') this.post({ type: 'lease-sent', lease });
    };
    this.mirror.leaseFirst(order, { send, fail: undelivered });
  }

  #settle(settlement: Settlement): void {
    if (this.#world.plant === 'drop-copies') this.mirror.settled([settlement.lease]);
    if (!this.#settlements.add(settlement)) return;
    this.process.after(SETTLE_MS, () => {
      const settlements = this.#settlements.take();
      this.journal.durable(() => this.#publishSettlements(settlements));
    });
  }

  #publishSettlements(settlements: readonly Settlement[]): void {
    const settled = this.#settlements.written(settlements, (lease) => this.state.leases.has(lease));
    for (const { task, lease } of settled) this.#world.witness.settles(task, lease);
    this.mirror.settled(settled.map(({ lease }) => lease));
    for (const { session, leases } of settledMessages(settled))
      this.publisher.publish(session, { type: 'settled', leases });
  }

  #confirm(task: TaskId): void {
    const confirmed = (): void => {
      this.post({ type: 'task-durable', task });
      this.desk.accepted(task);
    };
    const isLocal = this.state.tasks.get(task)?.durability === 'local';
    this.journal.durable(isLocal ? confirmed : () => this.mirror.recorded(task, confirmed));
  }

  #check({ task, taskType, lease, returned }: CheckOrder): void {
    const { witness, faults } = this.#world;
    const checked = (ok: boolean): void =>
      this.post({
        type: 'checked',
        lease,
        ok,
        why: ok ? '' : 'wrong',
        verifyMs: 1,
        digest: `of lease ${lease}`,
        bytes: returned.bytes,
      });
    if (taskType === 'echo') return checked(this.#inline.get(lease) === true);
    this.process.after(this.#draw.between(CHECK_MS.least, CHECK_MS.most), () => {
      const file = this.files.incoming(task, lease);
      if (this.state.leases.get(lease)?.phase === 'checking') witness.reads(lease, file !== undefined);
      if (faults.strikes('check-failed')) return this.post({ type: 'check-failed', lease, error: noVerdict });
      checked(file?.correct === true);
      if (taskType === 'train' && file !== undefined) this.files.discard(task, lease);
    });
  }
}

const noVerdict = toWireError(new MusterError('BLOCK_MISSING', 'a result could not be checked'));
