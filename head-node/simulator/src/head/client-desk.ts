/** Requests of clients, and what they are told. Mirrors head-node/src/io/{client-endpoint,client-requests}.ts. */
import type { BlockId, TaskId, TaskStatus } from '@muster/shared';
import { statusOf } from '@muster/head-node/core';
import type { TaskTraits } from '../scenario.ts';
import type { HeadLife } from './head-life.ts';

/** A client as seen by the head. */
export interface Caller {
  accepted(): void;
  ended(status: TaskStatus): void;
  /** The head has no such task, or no longer. */
  unknown(): void;
}

export interface Binding {
  readonly operand: string;
  readonly block: number;
  readonly id: BlockId;
}

const ENDED: readonly string[] = ['done', 'failed', 'cancelled'];

export class ClientDesk {
  readonly #life: HeadLife;
  readonly #submitters = new Map<TaskId, Set<Caller>>();
  readonly #watchers = new Map<TaskId, Set<Caller>>();

  constructor(life: HeadLife) {
    this.#life = life;
  }

  /** Ignored when the disk has no room for one more task: the client tries again. */
  submit(caller: Caller, { id, type, spec, nodes, waitNodesMs, timeoutMs, durability }: TaskTraits): void {
    if (!this.#life.state.tasks.has(id) && !this.#life.journal.hasRoom) return;
    this.#submitters.set(id, (this.#submitters.get(id) ?? new Set()).add(caller));
    const terms = { nodes, waitNodesMs, timeoutMs, durability, user: null };
    this.#life.post({ ...terms, type: 'submitted', task: id, taskType: type, spec });
  }

  /** False when there is no such task. */
  bind(task: TaskId, { operand, block, id }: Binding): boolean {
    const known = this.#life.state.tasks.get(task);
    if (known === undefined) return false;
    this.#life.files.blocks.add(id);
    const bytes = known.type.blockBytes(known.spec, { operand, block });
    this.#life.post({ type: 'bound', task, operand, block, id, bytes });
    return true;
  }

  watch(caller: Caller, id: TaskId): void {
    const { state, nowMs } = this.#life;
    const task = state.tasks.get(id);
    if (task === undefined) return caller.unknown();
    if (ENDED.includes(task.state)) this.#life.journal.durable(() => caller.ended(statusOf(state, task, nowMs)));
    else this.#watchers.set(id, (this.#watchers.get(id) ?? new Set()).add(caller));
  }

  cancel(task: TaskId): void {
    if (this.#life.state.tasks.has(task)) this.#life.post({ type: 'cancelled', task });
  }

  accepted(task: TaskId): void {
    for (const caller of this.#submitters.get(task) ?? []) caller.accepted();
    this.#submitters.delete(task);
  }

  ended(task: TaskId, status: TaskStatus): void {
    for (const caller of this.#watchers.get(task) ?? []) caller.ended(status);
    this.#watchers.delete(task);
  }
}
