/** What a client may ask, as plain calls on the head; the endpoint only translates. */
import {
  isTerminal,
  limits,
  MusterError,
  taskTypeNamed,
  type BackboneReport,
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
import type { TaskHistory } from '../core/journal-record.ts';
import { isActive } from '../core/turn.ts';
import { briefOf, nodeStatuses, statusOf } from '../core/views.ts';
import type { Driver } from '../driver.ts';
import type { Reply } from './client-endpoint.ts';
import type { Journal } from './journal.ts';
import type { Mirror } from './mirror.ts';
import { readPiece } from './read-piece.ts';
import type { ResultStore } from './result-store.ts';
import type { Trainer } from '../train/index.ts';
import { TaskAudits, type TaskAudit } from './task-audits.ts';
import { unknownTask } from './unknown-task.ts';

export interface ClientRequestPorts {
  readonly driver: Driver;
  readonly blocks: BlockStore;
  readonly results: ResultStore;
  readonly spares: SpareStock;
  readonly journal: Journal;
  readonly mirror: Mirror;
  readonly trainer: Trainer;
  readonly clock: Clock;
}

export class ClientRequests {
  readonly #ports: ClientRequestPorts;
  /** Blocks that were promised by `bind` and are still on their way. */
  readonly #expected = new Map<BlockId, Fields<'bind'>[]>();
  readonly #audits: TaskAudits;

  constructor(ports: ClientRequestPorts) {
    this.#ports = ports;
    this.#audits = new TaskAudits(ports);
  }

  submit({ task, taskType: name, spec, nodes, waitNodesMs, timeoutMs, durability }: Fields<'submit'>): void {
    const taskType = taskTypeNamed(name);
    if (nodes < 1 || nodes > limits.nodesMax.value) throw badNodeCount(nodes);
    if (durability === 'strict' && this.backbone().state === 'off') throw noBroker();
    const open = this.#ports.driver.state.open.size;
    if (open >= limits.openTasksMax.value) throw tooManyTasks(open);
    if (!this.#ports.driver.state.tasks.has(task)) this.#ports.journal.expectRoomForTask();
    this.#ports.driver.post({
      type: 'submitted',
      task,
      taskType,
      spec: taskType.parseSpec(spec),
      nodes,
      waitNodesMs,
      timeoutMs,
      durability,
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

  /** Blocks may come in when nobody waits for them any more. */
  #bound({ task, operand, block, id, bytes }: Fields<'bind'>): void {
    const { driver } = this.#ports;
    if (!this.#isActive(task)) return;
    driver.pin(task, id);
    driver.post({ type: 'bound', task, operand, block, id, bytes });
  }

  #isActive(id: TaskId): boolean {
    const task = this.#ports.driver.state.tasks.get(id);
    return task !== undefined && isActive(task);
  }

  /** What came of blocks that nobody else waits for goes, too. */
  ended(): void {
    for (const [block, binds] of this.#expected) {
      const wanted = binds.filter(({ task }) => this.#isActive(task));
      if (wanted.length > 0) this.#expected.set(block, wanted);
      else this.#giveUp(block);
    }
  }

  #giveUp(block: BlockId): void {
    const { blocks } = this.#ports;
    this.#expected.delete(block);
    if (!blocks.has(block)) blocks.remove(block);
  }

  cancel(task: TaskId): void {
    this.#task(task);
    this.#ports.driver.post({ type: 'cancelled', task });
  }

  show(task: TaskId): TaskStatus {
    return statusOf(this.#ports.driver.state, this.#task(task), this.#ports.clock.nowMs());
  }

  audit(task: TaskId): Promise<TaskAudit> {
    return this.#audits.of(task);
  }

  hasEnded(task: TaskId): boolean {
    return isTerminal(this.#task(task).state);
  }

  /** The most recent first, of those that the asker may see. */
  tasks(isVisible: (task: TaskId) => boolean): TaskBrief[] {
    const { state } = this.#ports.driver;
    const nowMs = this.#ports.clock.nowMs();
    return [...state.tasks.values()]
      .filter(({ id }) => isVisible(id))
      .slice(-limits.tasksListed.value)
      .toReversed()
      .map((task) => briefOf(statusOf(state, task, nowMs)));
  }

  nodes(): NodeStatus[] {
    return nodeStatuses(this.#ports.driver.state, this.#ports.clock.nowMs()).slice(0, limits.nodesListed.value);
  }

  backbone(): BackboneReport {
    return this.#ports.mirror.report();
  }

  /** Results that can be fetched now. Throws RESULT_LOST for a task that is done and whose results are not all there. */
  tiles(id: TaskId): TileNotice[] {
    const task = this.#task(id);
    if (task.state !== 'running' && task.state !== 'done') return [];
    if (task.outcome !== null) {
      const { plan, kept } = task.outcome;
      return Array.from(kept, ([index, result]) => this.#notice(task, plan, { index, ...result }));
    }
    const history = this.#ports.journal.history(id);
    if (history === null || history.plan === null) return [];
    const { plan, subtasks } = history;
    this.#checkResults(history);
    return subtasks.map(({ index, provider, bytes }) => this.#notice(task, plan, { index, node: provider, bytes }));
  }

  #checkResults({ record, subtasks }: TaskHistory): void {
    const lost = subtasks.filter((subtask) => !this.#ports.results.holds(subtask));
    if (lost.length > 0) throw resultLost(record.task, lost.length, subtasks.length);
  }

  #notice({ id, type, spec }: Task, plan: TaskPlan, result: Omit<TileNotice, 'path' | 'region'>): TileNotice {
    const { index } = result;
    return { ...result, region: [...type.region(spec, plan, index)], path: this.#ports.results.pathOf(id, index) };
  }

  /** Of a training run there is one result, whatever has become of it: its latest checkpoint. */
  fetchResult({ request, task, index, offset, length: wanted }: Fields<'fetchResult'>): Reply {
    const { rounds } = this.#task(task);
    const length = Math.min(wanted, limits.chunkBytesMax.value);
    const { results, trainer } = this.#ports;
    const { bytes, total } =
      rounds === null
        ? results.read({ task, index, offset, length })
        : readPiece(trainer.checkpointPath(task), { offset, length });
    return { type: 'chunk', fields: { request, total }, payload: bytes };
  }

  #task(id: TaskId): Task {
    const task = this.#ports.driver.state.tasks.get(id);
    if (task !== undefined) return task;
    throw unknownTask(id);
  }
}

const badNodeCount = (nodes: number): MusterError =>
  new MusterError('USAGE', `--nodes needs a whole number from 1 to ${limits.nodesMax.value}`, {
    why: `got ${nodes}`,
    fix: '--nodes 4',
  });

const resultLost = (task: TaskId, lost: number, of: number): MusterError =>
  new MusterError('RESULT_LOST', `the result of task ${task} is not on the head any more`, {
    why: `${lost} of its ${of} tiles are damaged or gone`,
    fix: 'submit the task again',
  });

const noBroker = (): MusterError =>
  new MusterError('USAGE', '--durability strict needs a broker', {
    why: 'the head runs without one (backbone: off)',
    fix: 'start the head with --amqp amqp://HOST, or submit with --durability mirrored',
  });

const tooManyTasks = (open: number): MusterError =>
  new MusterError('TOO_LARGE', 'the head has too many open tasks', {
    why: `${open} are open`,
    fix: 'wait for some to end, or cancel them with user-client tasks cancel ID',
  });
