/** Observes head and providers from outside and checks what must always hold. Throws a Violation. */
import type { RoundStart, TaskId, TaskStatus, TrainSpec } from '@muster/shared';
import type {
  CheckOrder,
  ClusterState,
  HeadEffect,
  HeadEvent,
  JournalRecord,
  LeaseOrder,
} from '@muster/head-node/core';
import { subtaskState } from '@muster/head-node/core';
import type { ProviderEffect, ProviderEvent } from '@muster/provider-node/core';
import type { DeliveredMessage } from '../broker/head-mirror.ts';
import { leaseName } from '../describe.ts';
import type { Faults } from '../faults.ts';
import type { HeadLife } from '../head/head-life.ts';
import type { ProviderLife } from '../provider/provider-life.ts';
import { Acceptances } from './acceptances.ts';
import { isBalanced } from './accounting.ts';
import { hasCause, isLocalForACause } from './causes.ts';
import { LeasesSeen, type Arrival } from './leases-seen.ts';
import { Promises } from './promises.ts';
import { RoundsSeen } from './rounds-seen.ts';
import { must } from './violation.ts';

/** Unfinished leases of a provider: its credit, plus the copies that the broker brings while the head is away. */
const UNFINISHED_MAX = 16 + 64;

export class Witness {
  readonly #faults: Faults;
  readonly #acceptances = new Acceptances();
  readonly #leases = new LeasesSeen();
  readonly #promises = new Promises();
  readonly #rounds = new RoundsSeen();
  /** By lease: accepted subtasks that a pending settlement declares safe. */
  readonly #owed = new Map<number, readonly number[]>();
  #head: HeadLife | null = null;

  constructor(faults: Faults) {
    this.#faults = faults;
  }

  // -- the head --------------------------------------------------------------------------------------------------------

  headStarts(life: HeadLife): void {
    this.#head = life;
    this.#leases.headStarts();
    this.#rounds.headStarts();
  }

  headRestored(life: HeadLife): void {
    for (const [task, index] of this.#acceptances.onDisk()) {
      const run = life.state.tasks.get(task)?.run ?? null;
      must(
        run === null || run.states.at(index) === subtaskState.accepted,
        `subtask ${index} of task ${task} was accepted and is after a restart`,
      );
    }
    this.#promises.verify(life);
  }

  headCrashed(): void {
    this.#head = null;
    this.#owed.clear();
    this.#acceptances.headCrashed();
  }

  registered(event: HeadEvent & { type: 'registered' }, keep: readonly number[]): void {
    this.#leases.registered(event, keep);
  }

  arrives(message: Arrival): void {
    this.#leases.arrives(message);
  }

  handled(state: ClusterState, event: HeadEvent, effects: readonly HeadEffect[]): void {
    if (event.type === 'checked') this.#rounds.verdict(event);
    const ended = effects.flatMap((effect) => (effect.type === 'ended' ? [effect.task] : []));
    for (const effect of effects) {
      if (effect.type === 'revoke' && event.type === 'tick' && !ended.includes(effect.task))
        for (const lease of effect.leases) this.#leases.late(lease);
      if (effect.type === 'send-lease') this.#given(state, effect);
      else if (effect.type === 'check') this.#checks(effect);
      else if (effect.type === 'fold') this.#rounds.folds(effect, state.tasks.get(effect.task)?.spec as TrainSpec);
      else if (effect.type === 'append') this.appended(effect.record);
      else if (effect.type === 'ended') this.#ended(effect.status);
    }
    for (const effect of effects) if (effect.type === 'settle') this.#owe(effect);
  }

  #given(state: ClusterState, order: LeaseOrder): void {
    this.#leases.given(state, order);
    this.#rounds.given(order);
  }

  #checks(order: CheckOrder): void {
    this.#leases.checked(order);
    this.#rounds.checks(order);
  }

  /** The trainer has started a round. */
  opens(task: TaskId, start: RoundStart): void {
    this.#rounds.opens(task, start);
  }

  sent(lease: number): void {
    this.#leases.sent(lease);
  }

  #owe({ task, lease }: HeadEffect & { type: 'settle' }): void {
    const accepted = this.#leases
      .indicesOf(lease)
      .filter((index) => this.#acceptances.certaintyOf(task, index) !== undefined);
    this.#owed.set(lease, [...(this.#owed.get(lease) ?? []), ...accepted]);
  }

  appended(record: JournalRecord): void {
    this.#acceptances.appended(record);
    this.#promises.appended(record);
  }

  #ended(status: TaskStatus): void {
    hasCause(status, this.#faults);
    if (status.training === null) this.#hasAll(status);
    else this.#rounds.ended(status);
    this.#isMirrored(status);
    if (this.#head !== null) isLocalForACause(status, this.#head, this.#faults);
  }

  #hasAll(status: TaskStatus): void {
    isBalanced(status);
    const accepted = this.#acceptances.count(status.taskId as TaskId);
    must(
      status.state !== 'done' || accepted === status.tiles,
      `task ${status.taskId} is done with ${accepted} of ${status.tiles} subtasks journalled`,
    );
  }

  #isMirrored({ taskId, state, durability }: TaskStatus): void {
    const open = this.#head?.mirror.unconfirmed(taskId as TaskId) ?? 0;
    must(
      state !== 'done' || durability === 'local' || open === 0,
      `task ${taskId} is reported done and ${durability} when the broker has all of it (${open} messages are open)`,
    );
  }

  synced(records: readonly JournalRecord[]): void {
    for (const record of records) {
      this.#acceptances.synced(record);
      this.#promises.synced(record);
    }
  }

  reads(lease: number, there: boolean): void {
    must(there, `the bytes of lease ${leaseName(lease)} are there while they are checked`);
  }

  kept({ task, lease, index }: HeadEffect & { type: 'keep' }, there: boolean): void {
    must(there, `the bytes of lease ${leaseName(lease)} are there when they are accepted`);
    must(this.#head?.files.result(task, index)?.correct === true, `result ${index} of task ${task} is right`);
  }

  /** From now on the provider may forget the result. */
  settles(task: TaskId, lease: number): void {
    this.#isOnDisk(task, lease, 'is settled');
    this.#owed.delete(lease);
  }

  /** The broker is to forget its copy of a result. */
  acknowledges({ task, lease }: Pick<DeliveredMessage, 'task' | 'lease'>): void {
    must(
      this.#head?.state.leases.has(lease) !== true,
      `the copy of lease ${leaseName(lease)} is acknowledged when nobody waits for it`,
    );
    this.#isOnDisk(task, lease, 'has its copy acknowledged');
  }

  #isOnDisk(task: TaskId, lease: number, what: string): void {
    for (const index of this.#owed.get(lease) ?? [])
      must(
        this.#acceptances.certaintyOf(task, index) !== 'written',
        `lease ${leaseName(lease)} ${what} when subtask ${index} of task ${task} is on disk`,
      );
  }

  /** The broker is to forget everything about a task. */
  letsGo(task: TaskId): void {
    this.#promises.brokerLetsGo(task);
  }

  // -- clients ---------------------------------------------------------------------------------------------------------

  toldAccepted(task: TaskId): void {
    this.#promises.toldAccepted(task);
  }

  toldUnknown(task: TaskId): void {
    this.#promises.toldUnknown(task);
  }

  toldEnded(status: TaskStatus): void {
    this.#promises.toldEnded(status, this.#head);
  }

  // -- providers -------------------------------------------------------------------------------------------------------

  providerHandled({ state, traits }: ProviderLife, event: ProviderEvent, effects: readonly ProviderEffect[]): void {
    const unfinished = [...state.held.values()].filter(({ phase }) => phase !== 'returned').length;
    must(unfinished <= UNFINISHED_MAX, `${traits.name} has a bounded number of unfinished leases (${unfinished})`);
    for (const effect of effects) {
      if (effect.type !== 'release' || effect.held.phase !== 'returned') continue;
      must(
        mayRelease(event, effect.held.lease),
        `${traits.name} keeps the result of lease ${leaseName(effect.held.lease)} until the head needs it no more`,
      );
    }
  }

  // -- at the end ------------------------------------------------------------------------------------------------------

  /** The faults are over and everything is idle. */
  verify(life: HeadLife): void {
    this.#promises.verify(life);
    this.#promises.allEnded(life);
    must(life.state.leases.size === 0, `no lease is open when no task is (${life.state.leases.size} are)`);
    for (const provider of life.state.providers.values()) {
      must(provider.leases.size === 0, `all slots of ${provider.name} are free`);
      must(provider.backlogMs < 1e-6, `${provider.name} has no backlog (${provider.backlogMs} ms)`);
    }
  }
}

/** Whether the head has said that it has the result, or does not want it. */
function mayRelease(event: ProviderEvent, lease: number): boolean {
  if (event.type === 'settled' || event.type === 'revoked') return event.leases.includes(lease);
  return event.type === 'registered' && (event.refused.includes(lease) || event.missing.includes(lease));
}
