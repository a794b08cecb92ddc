import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  isMusterError,
  isTaskId,
  MusterError,
  toWireError,
  type Logger,
  type TaskId,
  type TrainingReport,
  type WireError,
} from '@muster/shared';
import { startFramedProcess, type FramedProcess } from '@muster/shared/io';
import type { OpenRun, ReadyRound, ReturnedShard, RunAnswer, RunOutcome, ShardVerdict, TrainCalls } from './calls.ts';
import { CHECKPOINT_NAME } from './training-run.ts';

export interface TrainerOptions {
  readonly logger: Logger;
  /** Each run has a folder in it, with its checkpoint. */
  readonly directory: string;
  /** The block store's incoming folder, on the same file system. */
  readonly incomingDirectory: string;
  /** The compiled train-main; tests that run from source name it. */
  readonly script?: string;
}

/** Called from the trainer's own promises: must not throw. */
export interface TrainerListener {
  /** A round may begin. The store is to take over `round.blocks`; the rest of `start.blocks` is known from the round before. */
  ready(task: TaskId, round: ReadyRound): void;
  /** The checkpoint holds the final weights. */
  ended(task: TaskId, report: TrainingReport): void;
  /** `report` is null if the run has reported nothing yet. */
  failed(task: TaskId, error: WireError, report: TrainingReport | null): void;
}

/** Keeps training runs in a process of its own, off the head's event loop. */
export interface Trainer {
  /** To be called once, before anything else. */
  listen(listener: TrainerListener): void;
  /**
   * Begins at the newest checkpoint of the task, else at the one that is given, else anew. `ready` follows, or `ended` when nothing is left
   * to do, or `failed`. Does nothing when the run is open. When the process dies, every open run is opened again from its
   * checkpoint, with a round that is higher than all before.
   */
  open(task: TaskId, run: OpenRun): void;
  /**
   * Resolves with `ok: false` for a shard that is wrong. Rejects when it cannot tell: TASK_CANCELLED when the round is over,
   * BLOCK_MISSING when a file is gone. Never settles when the process dies: the round is void then.
   */
  check(shard: ReturnedShard): Promise<ShardVerdict>;
  /**
   * Makes the next round from these shards, as soon as the disk has room for it; `ready`, `ended` or `failed` follows. Does nothing for a
   * round that is over.
   */
  fold(task: TaskId, round: number, accepted: readonly number[]): void;
  /** Ends the run without further events; it writes a checkpoint of its progress since the last one, which stays. */
  close(task: TaskId): void;
  /** Ends the run, and deletes its checkpoint. */
  forget(task: TaskId): void;
  checkpointPath(task: TaskId): string;
  /** Runs that have something on disk. */
  tasks(): TaskId[];
  /** Open runs write a checkpoint first. */
  stop(): Promise<void>;
}

/** A run has failed when the process died this often during its calls without the run getting further in between. */
const DEATHS_MAX = 3;
/** All open runs have failed when the process ended this often in a row with no run to blame. */
const VAIN_STARTS_MAX = 5;
/** Wait before the restart after the first such end; doubled with each further one, up to the maximum. */
const RESTART_MS = 50;
const RESTART_MS_MAX = 30_000;
const ROOM_CHECK_MS = 250;

export async function startTrainer(options: TrainerOptions): Promise<Trainer> {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const trainer = new ChildTrainer(options);
  await trainer.ready();
  return trainer;
}

const compiledMain = (): string => fileURLToPath(new URL('train-main.js', import.meta.url));

interface Run {
  readonly task: TaskId;
  readonly run: OpenRun;
  report: TrainingReport | null;
  /** The furthest step at which the process died at a call of this run. */
  diedAtStep: number;
  /** Deaths of the process since the run got further than that. */
  deaths: number;
  /**
   * Deaths while its checkpoint was written, since the last that succeeded. Counted separately: a checkpoint is due by time, so the step
   * may be another each time.
   */
  checkpointDeaths: number;
}

/** A call without an answer. */
interface Call {
  /** The run that it is for; null for a call of the trainer itself. */
  readonly entry: Run | null;
  readonly isCheckpoint: boolean;
}

/** The result of a call to a process that died. */
const never = (): Promise<never> => new Promise<never>(() => undefined);

class ChildTrainer implements Trainer {
  readonly #options: TrainerOptions;
  /** Open runs. */
  readonly #runs = new Map<TaskId, Run>();
  /** The latest round of a task; they ascend even where it is closed and opened again. */
  readonly #rounds = new Map<TaskId, number>();
  #listener: TrainerListener | null = null;
  #process: FramedProcess<TrainCalls>;
  /** Calls of this process without an answer, in their order: it works on the first. */
  #calls = new Set<Call>();
  /** Ends of the process that no run is to blame for, since a call of a run was last answered. */
  #vainStarts = 0;
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: TrainerOptions) {
    this.#options = options;
    this.#process = this.#start();
  }

  async ready(): Promise<void> {
    try {
      await this.#process.call('ready', null);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  listen(listener: TrainerListener): void {
    this.#listener = listener;
  }

  /** Without a process, the run is opened when the next one starts. */
  open(task: TaskId, run: OpenRun): void {
    if (this.#runs.has(task)) return;
    const entry: Run = { task, run, report: null, diedAtStep: -1, deaths: 0, checkpointDeaths: 0 };
    this.#runs.set(task, entry);
    if (this.#process.alive) this.#open(entry);
  }

  async check(shard: ReturnedShard): Promise<ShardVerdict> {
    const entry = this.#runs.get(shard.task);
    if (entry === undefined) throw closed(shard.task);
    return this.#during(entry, (process) => process.call('check', shard));
  }

  fold(task: TaskId, round: number, accepted: readonly number[]): void {
    const entry = this.#runs.get(task);
    if (entry !== undefined) this.#ask(entry, (process) => process.call('fold', { task, round, accepted }));
  }

  close(task: TaskId): void {
    const entry = this.#runs.get(task);
    if (entry === undefined) return;
    this.#runs.delete(task);
    this.#during(entry, (process) => process.call('close', task)).catch(
      this.#warn(`no checkpoint of task ${task} was written at its end`),
    );
  }

  /** Deletes the checkpoint here if there is no process to delete it. */
  forget(task: TaskId): void {
    this.#runs.delete(task);
    this.#rounds.delete(task);
    this.#process
      .call('forget', task)
      .catch(() => rm(join(this.#options.directory, task), { recursive: true, force: true }))
      .catch(this.#warn(`the checkpoint of task ${task} was not removed`));
  }

  checkpointPath(task: TaskId): string {
    return join(this.#options.directory, task, CHECKPOINT_NAME);
  }

  tasks(): TaskId[] {
    return readdirSync(this.#options.directory).filter(isTaskId);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const { ended } = this.#process;
    await Promise.race([ended, Promise.all([...this.#runs.values()].map((entry) => this.#checkpoint(entry)))]);
    await this.#process.stop();
  }

  #open(entry: Run): void {
    const { task, run } = entry;
    const round = (this.#rounds.get(task) ?? 0) + 1;
    this.#ask(entry, (process) => process.call('open', { task, run, round }));
  }

  /** Never settles when the process dies. */
  async #during<T>(
    entry: Run | null,
    call: (process: FramedProcess<TrainCalls>) => Promise<T>,
    isCheckpoint = false,
  ): Promise<T> {
    const [process, calls, made] = [this.#process, this.#calls, { entry, isCheckpoint }];
    if (!process.alive) return never();
    calls.add(made);
    try {
      return await call(process);
    } catch (error) {
      if (!process.alive) return await never();
      throw error;
    } finally {
      calls.delete(made);
      if (entry !== null) this.#vainStarts = 0;
    }
  }

  #ask(entry: Run, call: (process: FramedProcess<TrainCalls>) => Promise<RunAnswer | null>): void {
    const asked = this.#process;
    this.#during(entry, call).then(
      (answer) => this.#take(entry, answer),
      (error: unknown) => {
        if (this.#runs.get(entry.task) !== entry) return;
        if (!isMusterError(error) || error.code !== 'DISK_FULL') return this.#fail(entry, error);
        this.#awaitRoom(entry, () => {
          if (this.#process === asked) this.#ask(entry, call);
        });
      },
    );
  }

  /** Waits for space on the disk, as results and the journal do. By then the run may be closed, or opened in another process. */
  #awaitRoom(entry: Run, askAgain: () => void): void {
    const { task } = entry;
    this.#options.logger.warn({ task }, 'there is no room for the next round; waiting for some');
    setTimeout(() => {
      if (!this.#stopping && this.#runs.get(task) === entry) askAgain();
    }, ROOM_CHECK_MS).unref();
  }

  #take(entry: Run, answer: RunAnswer | null): void {
    if (answer === null) return;
    if (this.#runs.get(entry.task) === entry) this.#settle(entry, answer);
    else removeBlocks(answer.outcome);
  }

  #settle(entry: Run, { outcome, checkpointDue }: RunAnswer): void {
    if (outcome.type === 'ready') {
      if (outcome.report.step > entry.diedAtStep) entry.deaths = 0;
      entry.report = outcome.report;
      this.#rounds.set(entry.task, outcome.start.round);
    }
    this.#tell(entry.task, outcome);
    if (checkpointDue) void this.#checkpoint(entry);
  }

  #fail({ task, report }: Run, error: unknown): void {
    this.#tell(task, { type: 'failed', error: toWireError(error), report });
  }

  #tell(task: TaskId, outcome: RunOutcome): void {
    if (outcome.type !== 'ready') this.#runs.delete(task);
    switch (outcome.type) {
      case 'ready':
        return this.#listener?.ready(task, outcome);
      case 'ended':
        return this.#listener?.ended(task, outcome.report);
      case 'failed':
        return this.#listener?.failed(task, outcome.error, outcome.report);
    }
  }

  /** Never rejects: without one the run goes on, and the next may succeed. */
  #checkpoint(entry: Run): Promise<void> {
    const { task } = entry;
    const written = this.#during(entry, (process) => process.call('checkpoint', task), true);
    return written.then(
      () => void (entry.checkpointDeaths = 0),
      this.#warn(`no checkpoint of task ${task} was written`),
    );
  }

  #ended(end: string): void {
    if (this.#stopping) return;
    const [oldest] = this.#calls;
    this.#blame(oldest, end);
    const afterMs = this.#vainStarts > 0 ? Math.min(RESTART_MS * 2 ** (this.#vainStarts - 1), RESTART_MS_MAX) : 0;
    this.#options.logger.error({ end, afterMs }, 'the trainer process ended; it is started again');
    if (afterMs === 0) this.#startAgain();
    else this.#restart = setTimeout(() => this.#startAgain(), afterMs);
  }

  #startAgain(): void {
    this.#process = this.#start();
    for (const entry of this.#runs.values()) this.#open(entry);
  }

  /** Calls are answered in their order, so it died at the first without an answer, and the runs behind that one are not to blame. */
  #blame(call: Call | undefined, end: string): void {
    const entry = call?.entry ?? null;
    if (call === undefined || entry === null) return this.#endedInVain(end);
    if (call.isCheckpoint) entry.checkpointDeaths += 1;
    else entry.deaths += 1;
    entry.diedAtStep = Math.max(entry.diedAtStep, entry.report?.step ?? -1);
    const isOver = Math.max(entry.deaths, entry.checkpointDeaths) >= DEATHS_MAX;
    if (isOver && this.#runs.get(entry.task) === entry) this.#fail(entry, diedAgain(entry));
  }

  #endedInVain(end: string): void {
    this.#vainStarts += 1;
    if (this.#vainStarts < VAIN_STARTS_MAX) return;
    const open = [...this.#runs.values()];
    for (const entry of open) this.#fail(entry, cannotStart(end));
  }

  #start(): FramedProcess<TrainCalls> {
    const { logger, directory, incomingDirectory, script = compiledMain() } = this.#options;
    const process = startFramedProcess<TrainCalls>({
      script,
      args: [directory, incomingDirectory],
      title: 'train',
      // Otherwise ONNX Runtime sends telemetry, and leaves temporary files behind.
      env: { ORT_DISABLE_TELEMETRY: '1' },
      onStderr: (line) => logger.warn({ process: 'train' }, line),
    });
    void process.ended.then((end) => this.#ended(end));
    this.#calls = new Set();
    this.#process = process;
    this.#during(null, () => process.call('ready', null)).catch(this.#ignore);
    return process;
  }

  #warn(what: string): (error: unknown) => void {
    return (error) => this.#options.logger.warn({ error: toWireError(error) }, what);
  }

  readonly #ignore = (): void => undefined;
}

/** Deletes the blocks of an answer that is not wanted any more. */
function removeBlocks(outcome: RunOutcome): void {
  if (outcome.type === 'ready') for (const { path } of outcome.blocks) rmSync(path, { force: true });
}

const diedAgain = ({ task, report }: Run): MusterError =>
  new MusterError('COMPUTE_FAILED', `the trainer process died ${DEATHS_MAX} times, and the run got no further`, {
    why: `task ${task}, step ${report?.step ?? 0}`,
    fix: 'look at the log of the head node for what it said last, and resume the run',
  });

const cannotStart = (end: string): MusterError =>
  new MusterError('COMPUTE_FAILED', 'the trainer process cannot be started', {
    why: `it ended ${VAIN_STARTS_MAX} times in a row, and nothing that it was asked was the reason: ${end}`,
    fix: 'look at the log of the head node for what it said last, and resume the run',
  });

const closed = (task: TaskId): MusterError =>
  new MusterError('TASK_CANCELLED', 'a check was given up', { why: `task ${task} has ended` });
