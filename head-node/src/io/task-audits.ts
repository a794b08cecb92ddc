/** Gathers the evidence of journal, broker and files for an audit, in steps that do not block the event loop for long. */
import {
  blockIdOf,
  isMusterError,
  isTerminal,
  taskTypeNamed,
  type AuditReport,
  type AuditRow,
  type AuditSummary,
  type BlockId,
  type ProviderId,
  type TaskId,
  type TaskState,
} from '@muster/shared';
import { hashInSlices, type BlockStore } from '@muster/shared/io';
import type { HeadCore } from '../core/head-core.ts';
import type { Evidence, FoundFile } from '../core/audit-evidence.ts';
import { audit } from '../core/audit.ts';
import type { TaskHistory } from '../core/journal-record.ts';
import type { Journal } from './journal.ts';
import type { Mirror } from './mirror.ts';
import type { ResultStore } from './result-store.ts';
import { unknownTask } from '../trust/unknown-task.ts';

export interface TaskAuditPorts {
  readonly core: HeadCore;
  readonly blocks: BlockStore;
  readonly results: ResultStore;
  readonly journal: Journal;
  readonly mirror: Mirror;
}

/** The rows are a block of the store, for clients to fetch. */
export interface TaskAudit {
  readonly summary: AuditSummary;
  readonly rows: BlockId;
  readonly bytes: number;
}

/** Rows that become text in one turn of the event loop. */
const ROWS_PER_TURN = 2000;

export class TaskAudits {
  readonly #ports: TaskAuditPorts;
  readonly #underWay = new Map<TaskId, Promise<TaskAudit>>();

  constructor(ports: TaskAuditPorts) {
    this.#ports = ports;
  }

  /**
   * A request during an audit of the same task shares its outcome. Rejects with TASK_UNKNOWN for a task that is not, or no longer, here.
   */
  of(task: TaskId): Promise<TaskAudit> {
    const audited =
      this.#underWay.get(task) ?? this.#store(this.#audit(task)).finally(() => this.#underWay.delete(task));
    this.#underWay.set(task, audited);
    return audited;
  }

  async #store(report: Promise<AuditReport>): Promise<TaskAudit> {
    const { rows, ...summary } = await report;
    const bytes = Buffer.from(await jsonOf(rows));
    const id = blockIdOf(bytes);
    this.#ports.blocks.put(id, bytes);
    return { summary, rows: id, bytes: bytes.length };
  }

  /** Starts over if the task failed or was cancelled meanwhile: its result files are then deleted. */
  async #audit(task: TaskId): Promise<AuditReport> {
    const state = this.#stateOf(task);
    await this.#ports.journal.durable();
    const journal = this.#ports.journal.history(task);
    if (journal === null) throw unknownTask(task);
    const broker = await this.#brokerOf(journal);
    const files = await this.#filesOf(journal);
    if (!isTerminal(state) && hasDropped(this.#stateOf(task))) return this.#audit(task);
    const known = isTerminal(state) ? state : (journal.ended?.status.state ?? state);
    return inTurns(
      audit({
        state: known,
        epoch: this.#ports.journal.epoch,
        journal,
        broker,
        files,
        ...this.#namesFor(journal),
      }),
    );
  }

  #stateOf(task: TaskId): TaskState {
    const known = this.#ports.core.state.tasks.get(task);
    if (known === undefined) throw unknownTask(task);
    return known.state;
  }

  async #brokerOf({ record }: TaskHistory): Promise<Evidence['broker']> {
    if (record.durability === 'local') return { unread: 'the task was submitted with --durability local' };
    try {
      return (await this.#ports.mirror.events(record)) ?? { unread: 'its event stream does not go back so far' };
    } catch (error) {
      if (!isMusterError(error)) throw error;
      return { unread: error.why === '' ? error.message : `${error.message}: ${error.why}` };
    }
  }

  async #filesOf({ record: { task }, subtasks, ended }: TaskHistory): Promise<Map<number, FoundFile | null>> {
    const files = new Map<number, FoundFile | null>();
    if (ended !== null && hasDropped(ended.status.state)) return files;
    for (const { index } of subtasks)
      if (!files.has(index)) files.set(index, await hashInSlices(this.#ports.results.pathOf(task, index)));
    return files;
  }

  #namesFor({ record, plan }: TaskHistory): Pick<Evidence, 'nameOf' | 'regionOf'> {
    const { providers } = this.#ports.core.state;
    const type = taskTypeNamed(record.name);
    return {
      nameOf: (node: ProviderId) => providers.get(node)?.name ?? node,
      regionOf: (index) => (plan === null || index >= plan.subtasks ? [] : type.region(record.spec, plan, index)),
    };
  }
}

/** Returns to the event loop between two steps. */
async function inTurns<T>(steps: Generator<undefined, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await nextTurn();
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const hasDropped = (state: TaskState): boolean => state === 'failed' || state === 'cancelled';

async function jsonOf(rows: readonly AuditRow[]): Promise<string> {
  const parts: string[] = [];
  for (let at = 0; at < rows.length; at += ROWS_PER_TURN) {
    parts.push(JSON.stringify(rows.slice(at, at + ROWS_PER_TURN)).slice(1, -1));
    await nextTurn();
  }
  return `[${parts.join(',')}]`;
}
