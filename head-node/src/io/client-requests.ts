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
import type { HeadCore } from '../core/head-core.ts';
import { expectQuota } from '../core/accounts.ts';
import type { Task } from '../core/cluster-state.ts';
import type { HeadEvent, Submission } from '../core/events.ts';
import type { TaskHistory } from '../core/journal-record.ts';
import { isActive } from '../core/turn.ts';
import { briefOf, nodeStatuses, statusOf } from '../core/views.ts';
import type { Reply } from './client-endpoint.ts';
import type { Journal } from './journal.ts';
import type { Mirror } from './mirror.ts';
import { readPiece } from './read-piece.ts';
import type { ResultStore } from './result-store.ts';
import type { Trainer } from '../train/index.ts';
import { OfferedBlocks } from './offered-blocks.ts';
import { savedCheckpoint } from './saved-checkpoint.ts';
import { TaskAudits, type TaskAudit } from './task-audits.ts';
import { unknownTask } from '../trust/unknown-task.ts';

export interface ClientRequestPorts {
  readonly core: HeadCore;
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
  /** The same by place in the task: one block each. */
  readonly #announced = new Map<string, BlockId>();
  readonly #offered: OfferedBlocks;
  readonly #audits: TaskAudits;

  constructor(ports: ClientRequestPorts) {
    this.#ports = ports;
    this.#offered = new OfferedBlocks(ports.blocks);
    this.#audits = new TaskAudits(ports);
  }

  /**
   * Checks a submission and returns the event for the core. Throws USAGE, TOO_LARGE, QUOTA, DISK_FULL, and what the task type's `parseSpec`
   * throws; for a task that is known already, which the client submits again after a reconnect, only what is wrong with its own fields.
   */
  admit({ taskType: name, ...fields }: Fields<'submit'>, user: string | null): HeadEvent & { type: 'submitted' } {
    const taskType = taskTypeNamed(name);
    const { task, nodes, waitNodesMs, timeoutMs, durability } = fields;
    if (nodes < 1 || nodes > limits.nodesMax.value) throw badNodeCount(nodes);
    if (durability === 'strict' && this.backbone().state === 'off') throw noBroker();
    const spec = taskType.parseSpec(fields.spec);
    if (!this.isKnown(task)) this.#expectRoom({ user, taskType, spec });
    return { type: 'submitted', task, taskType, spec, nodes, waitNodesMs, timeoutMs, durability, user };
  }

  submit(submission: HeadEvent & { type: 'submitted' }): void {
    this.#ports.core.post(submission);
  }

  isKnown(task: TaskId): boolean {
    return this.#ports.core.state.tasks.has(task);
  }

  #expectRoom(submission: Pick<Submission, 'user' | 'taskType' | 'spec'>): void {
    const { core, journal } = this.#ports;
    const open = core.state.open.size;
    if (open >= limits.openTasksMax.value) throw tooManyTasks(open);
    expectQuota(core.state, submission);
    journal.expectRoomForTask();
  }

  /** True when the client is to send the block's bytes. */
  bind(bind: Fields<'bind'>): boolean {
    const task = this.#task(bind.task);
    if (!isActive(task)) return false;
    const { blocks } = this.#ports;
    const bound = expectPlace(task, bind);
    // Never a second block in a place, so that a task holds no more than it was admitted with. A block that was lost is wanted again.
    if (bound !== undefined && (bound !== bind.id || blocks.has(bound))) return false;
    this.#unexpect(bind);
    const here = blocks.has(bind.id) || this.#adopt(bind);
    if (here) this.#bound(bind);
    else this.#expect(bind);
    return !here;
  }

  /** Resolves when what was bound to the task so far is in the journal, on disk. */
  async sync(task: TaskId): Promise<void> {
    this.#task(task);
    await this.#ports.journal.durable();
  }

  /** True when the block is whole. */
  put({ block, offset, total }: Fields<'put'>, bytes: Uint8Array | null): boolean {
    const { blocks } = this.#ports;
    if (bytes === null) throw new MusterError('PROTOCOL', 'a chunk came without its bytes');
    const [bind] = this.#expected.get(block) ?? [];
    if (bind === undefined) return this.#offered.put({ id: block, offset, total, bytes });
    if (total !== bind.bytes) throw wrongBlock(bind, `${total} bytes, not ${bind.bytes}`);
    if (!blocks.has(block) && blocks.receive({ id: block, offset, total, bytes }) === 'partial') return false;
    for (const waiting of this.#expected.get(block) ?? []) this.#bound(waiting);
    this.#keepExpected(block, () => false);
    return true;
  }

  #expect(bind: Fields<'bind'>): void {
    this.#expected.set(bind.id, [...(this.#expected.get(bind.id) ?? []), bind]);
    this.#announced.set(placeOf(bind), bind.id);
    this.#offered.taken(bind.id);
  }

  /** Another block was announced for this place before: it is no longer expected there. */
  #unexpect(bind: Fields<'bind'>): void {
    const before = this.#announced.get(placeOf(bind));
    if (before !== undefined) this.#keepExpected(before, (other) => placeOf(other) !== placeOf(bind));
  }

  /** The client has put the file into the store itself. */
  #adopt({ id, bytes, path }: Fields<'bind'>): boolean {
    const { blocks, spares } = this.#ports;
    if (path === '' || !blocks.adopt(id, bytes)) return false;
    spares.used(bytes);
    return true;
  }

  /** The task may have ended while the block was on its way. */
  #bound({ task, operand, block, id, bytes }: Fields<'bind'>): void {
    const { core } = this.#ports;
    if (!this.#isActive(task)) return;
    core.pin(task, id);
    core.post({ type: 'bound', task, operand, block, id, bytes });
  }

  #isActive(id: TaskId): boolean {
    const task = this.#ports.core.state.tasks.get(id);
    return task !== undefined && isActive(task);
  }

  /** Deletes incomplete blocks that only ended tasks were waiting for. */
  ended(): void {
    for (const block of this.#expected.keys()) this.#keepExpected(block, ({ task }) => this.#isActive(task));
  }

  #keepExpected(block: BlockId, isWanted: (bind: Fields<'bind'>) => boolean): void {
    const { blocks } = this.#ports;
    const binds = this.#expected.get(block) ?? [];
    const wanted = binds.filter(isWanted);
    for (const bind of binds) if (!wanted.includes(bind)) this.#announced.delete(placeOf(bind));
    if (wanted.length > 0) return void this.#expected.set(block, wanted);
    this.#expected.delete(block);
    if (!blocks.has(block)) blocks.remove(block);
  }

  /** False when the task had ended already. */
  cancel(task: TaskId): boolean {
    if (!isActive(this.#task(task))) return false;
    this.#ports.core.post({ type: 'cancelled', task });
    return true;
  }

  show(task: TaskId): TaskStatus {
    const status = statusOf(this.#ports.core.state, this.#task(task), this.#ports.clock.nowMs());
    const { training } = status;
    if (training === null || !isTerminal(status.state)) return status;
    return { ...status, training: { ...training, ...savedCheckpoint(this.#ports.trainer.checkpointPath(task)) } };
  }

  audit(task: TaskId): Promise<TaskAudit> {
    return this.#audits.of(task);
  }

  hasEnded(task: TaskId): boolean {
    return isTerminal(this.#task(task).state);
  }

  /** Resolves when the task's end is on disk, and results that an earlier epoch left are checked against the journal. */
  async settled(id: TaskId): Promise<void> {
    await this.#ports.journal.durable();
    if (this.#task(id).outcome !== null) return;
    for (const subtask of this.#ports.journal.history(id)?.subtasks ?? [])
      await this.#ports.results.check({ ...subtask, task: id });
  }

  /** The visible tasks, the most recent first. */
  tasks(isVisible: (task: TaskId) => boolean): TaskBrief[] {
    const { state } = this.#ports.core;
    const nowMs = this.#ports.clock.nowMs();
    return [...state.tasks.values()]
      .filter(({ id }) => isVisible(id))
      .slice(-limits.tasksListed.value)
      .toReversed()
      .map((task) => briefOf(statusOf(state, task, nowMs)));
  }

  nodes(): NodeStatus[] {
    return nodeStatuses(this.#ports.core.state, this.#ports.clock.nowMs()).slice(0, limits.nodesListed.value);
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

  /** A training run has one result, however it ended: its latest checkpoint. */
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
    const task = this.#ports.core.state.tasks.get(id);
    if (task !== undefined) return task;
    throw unknownTask(id);
  }
}

const placeOf = ({ task, operand, block }: Fields<'bind'>): string => `${task}/${operand}/${block}`;

/**
 * Returns the block that is bound to the place, if any. Throws BAD_DATA for a place that the task does not have, or a block of another
 * size.
 */
function expectPlace(task: Task, bind: Fields<'bind'>): BlockId | undefined {
  const table = task.operands.get(bind.operand);
  if (table === undefined || bind.block >= table.ids.length) throw wrongBlock(bind, 'the task has no such block');
  const expected = task.type.blockBytes(task.spec, bind);
  if (bind.bytes !== expected) throw wrongBlock(bind, `${bind.bytes} bytes, not ${expected}`);
  return table.ids[bind.block];
}

const wrongBlock = ({ operand, block }: Fields<'bind'>, why: string): MusterError =>
  new MusterError('BAD_DATA', `block ${operand}/${block} is none of the task`, { why });

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
