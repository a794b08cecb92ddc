/** What a client may ask, as plain calls on the head; the endpoint only translates. */
import {
  isTerminal,
  limits,
  MusterError,
  taskTypeNamed,
  type BlockId,
  type Clock,
  type Fields,
  type NodeStatus,
  type TaskBrief,
  type TaskId,
  type TaskPlan,
  type TaskStatus,
  type TileNotice,
} from '@muster/shared';
import type { BlockStore, SpareStock } from '@muster/shared/io';
import type { Task } from '../core/cluster-state.ts';
import { briefOf, nodeStatuses, statusOf } from '../core/views.ts';
import type { Driver } from '../driver.ts';
import type { Reply } from './client-endpoint.ts';
import type { Journal } from './journal.ts';
import type { ResultStore } from './result-store.ts';

export interface ClientRequestPorts {
  readonly driver: Driver;
  readonly blocks: BlockStore;
  readonly results: ResultStore;
  readonly spares: SpareStock;
  readonly journal: Journal;
  readonly clock: Clock;
}

const TASKS_LISTED = 100;

export class ClientRequests {
  readonly #ports: ClientRequestPorts;
  /** Blocks that were promised by `bind` and are still on their way. */
  readonly #expected = new Map<BlockId, Fields<'bind'>[]>();

  constructor(ports: ClientRequestPorts) {
    this.#ports = ports;
  }

  submit({ task, taskType: name, spec, nodes, waitNodesMs, timeoutMs }: Fields<'submit'>): void {
    const taskType = taskTypeNamed(name);
    if (nodes < 1 || nodes > limits.nodesMax.value) throw badNodeCount(nodes);
    const open = [...this.#ports.driver.state.tasks.values()].filter(({ state }) => !isTerminal(state)).length;
    if (open >= limits.openTasksMax.value) throw tooManyTasks(open);
    this.#ports.driver.post({
      type: 'submitted',
      task,
      taskType,
      spec: taskType.parseSpec(spec),
      nodes,
      waitNodesMs,
      timeoutMs,
    });
  }

  /** True when the block's bytes are wanted over the wire. */
  bind(bind: Fields<'bind'>): boolean {
    const { type, spec } = this.#task(bind.task);
    const expected = type.blockBytes(spec, bind);
    if (bind.bytes !== expected) {
      throw new MusterError('BAD_DATA', `block ${bind.operand}/${bind.block} has the wrong size`, {
        why: `${bind.bytes} bytes, not ${expected}`,
      });
    }
    const { blocks } = this.#ports;
    const here = blocks.has(bind.id) || this.#adopt(bind);
    if (here) this.#bound(bind);
    else this.#expected.set(bind.id, [...(this.#expected.get(bind.id) ?? []), bind]);
    return !here;
  }

  /** True when the block is whole. */
  put({ block, offset, total }: Fields<'put'>, bytes: Uint8Array | null): boolean {
    const { blocks } = this.#ports;
    if (bytes === null) throw new MusterError('PROTOCOL', 'a chunk came without its bytes');
    if (!blocks.has(block) && blocks.receive({ id: block, offset, total, bytes }) === 'partial') return false;
    for (const bind of this.#expected.get(block) ?? []) this.#bound(bind);
    this.#expected.delete(block);
    return true;
  }

  /** The client has written the file itself. */
  #adopt({ id, bytes, path }: Fields<'bind'>): boolean {
    const { blocks, spares } = this.#ports;
    if (path === '' || !blocks.adopt(id, bytes)) return false;
    spares.used(bytes);
    return true;
  }

  #bound({ task, operand, block, id, bytes }: Fields<'bind'>): void {
    const { driver } = this.#ports;
    driver.pin(task, id);
    driver.post({ type: 'bound', task, operand, block, id, bytes });
  }

  cancel(task: TaskId): void {
    this.#task(task);
    this.#ports.driver.post({ type: 'cancelled', task });
  }

  show(task: TaskId): TaskStatus {
    return statusOf(this.#ports.driver.state, this.#task(task), this.#ports.clock.nowMs());
  }

  hasEnded(task: TaskId): boolean {
    return isTerminal(this.#task(task).state);
  }

  /** The most recent first. */
  tasks(): TaskBrief[] {
    const { state } = this.#ports.driver;
    const nowMs = this.#ports.clock.nowMs();
    return [...state.tasks.values()]
      .slice(-TASKS_LISTED)
      .toReversed()
      .map((task) => briefOf(statusOf(state, task, nowMs)));
  }

  nodes(): NodeStatus[] {
    return nodeStatuses(this.#ports.driver.state, this.#ports.clock.nowMs()).slice(0, 64);
  }

  /** Results that can be fetched now. */
  tiles(id: TaskId): TileNotice[] {
    const task = this.#task(id);
    if (task.state !== 'running' && task.state !== 'done') return [];
    if (task.outcome !== null) {
      const { plan, kept } = task.outcome;
      return Array.from(kept, ([index, result]) => this.#notice(task, plan, { index, ...result }));
    }
    const { plan = null, subtasks = [] } = this.#ports.journal.history(id) ?? {};
    if (plan === null) return [];
    return subtasks.map(({ index, provider, bytes }) => this.#notice(task, plan, { index, node: provider, bytes }));
  }

  #notice({ id, type, spec }: Task, plan: TaskPlan, result: Omit<TileNotice, 'path' | 'region'>): TileNotice {
    const { index } = result;
    return { ...result, region: [...type.region(spec, plan, index)], path: this.#ports.results.pathOf(id, index) };
  }

  fetchResult({ request, task, index, offset, length }: Fields<'fetchResult'>): Reply {
    this.#task(task);
    const { bytes, total } = this.#ports.results.read({
      task,
      index,
      offset,
      length: Math.min(length, limits.chunkBytesMax.value),
    });
    return { type: 'chunk', fields: { request, total }, payload: bytes };
  }

  #task(id: TaskId): Task {
    const task = this.#ports.driver.state.tasks.get(id);
    if (task !== undefined) return task;
    throw new MusterError('TASK_UNKNOWN', `there is no task ${id}`, {
      why: 'its results may have expired, or it was submitted to another head',
      fix: 'user-client tasks ls',
    });
  }
}

const badNodeCount = (nodes: number): MusterError =>
  new MusterError('USAGE', `--nodes needs a whole number from 1 to ${limits.nodesMax.value}`, {
    why: `got ${nodes}`,
    fix: '--nodes 4',
  });

const tooManyTasks = (open: number): MusterError =>
  new MusterError('TOO_LARGE', 'the head has too many open tasks', {
    why: `${open} are open`,
    fix: 'wait for some to end, or cancel them with user-client tasks cancel ID',
  });
